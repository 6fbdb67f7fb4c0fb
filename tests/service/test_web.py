"""The search page in a real browser: words, pictures, sounds, kin, errors, the keyboard."""

import base64
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, async_playwright, expect

from service.access.caller import Scope
from service.access.keys import KeyFile
from service.serve import Addresses
from tests.samples import audio_bytes, colours, film_bytes, image_bytes, picture, tone

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NASTY = "<img src=x onerror=document.title='run'>.png"
WEB = Path(__file__).parents[2] / "service/web"

DROP = """([element, name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name, { type }));
    const event = (kind) => new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
    for (const kind of ["dragenter", "dragover", "drop"]) element.dispatchEvent(event(kind));
}"""


@pytest.fixture
async def base(addresses: Addresses) -> str:
    async with httpx.AsyncClient(base_url=addresses.http) as client:
        for name in ("default", "empty"):
            await client.post("/v1/collections", json={"name": name})
        files = {
            "photos/red.png": image_bytes(picture("red")),
            "photos/green.png": image_bytes(picture("green")),
            "loud.wav": audio_bytes(tone(loudness=0.9)),
            "note.txt": b"red red bright words",
            NASTY: image_bytes(picture("blue")),
        }
        for name, data in files.items():
            answer = await client.post(
                "/v1/collections/default/items:upload",
                files={"file": ("upload", data)},
                data={"id": name, "metadata": '{"filename": null}'},
            )
            assert answer.json()["ok"] == 1, answer.text
    return addresses.http


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module, so that its tests share a browser."""
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture
async def page(base: str, browser: Browser) -> AsyncIterator[Page]:
    """The page, opened; afterwards, nothing may have come from elsewhere or gone wrong in it."""
    asked: list[str] = []
    wrong: list[str] = []
    opened = await browser.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    await opened.goto(base)
    await expect(cards(opened)).to_have_count(5)
    yield opened
    await opened.close()
    elsewhere = [url for url in asked if not url.startswith((base, "blob:", "data:"))]
    assert (elsewhere, wrong) == ([], [])


def cards(page: Page) -> Locator:
    return page.locator("#hits .card")


async def ask(page: Page, words: str) -> None:
    await page.fill("#words", words)
    await page.press("#words", "Enter")
    await expect(page.locator("#status")).to_contain_text("hit")


async def drop(page: Page, name: str, kind: str, data: bytes) -> None:
    body = await page.query_selector("body")
    await page.evaluate(DROP, [body, name, kind, base64.b64encode(data).decode()])


async def names(page: Page) -> list[str]:
    return await cards(page).locator(".name span").all_inner_texts()


async def test_words_find_pictures_sounds_and_texts(page: Page) -> None:
    await ask(page, "red")
    assert (await names(page))[0] == "red.png"
    first = cards(page).first
    width = await first.locator("img").evaluate("i => i.decode().then(() => i.naturalWidth)")
    assert width == 32
    await expect(first.locator(".numbers")).to_contain_text("1.000")
    await expect(page.locator(".card blockquote")).to_have_text("red red bright words")
    await expect(page.locator(".card audio")).to_have_count(1)
    assert "q=red" in page.url


async def test_a_sound_can_be_played_and_shows_its_wave(page: Page) -> None:
    player = page.locator("audio")
    await expect(player).to_have_attribute("src", re.compile("^blob:"))
    assert await player.evaluate(
        "p => new Promise(done => { p.ondurationchange = () => done(p.duration); p.load(); })"
    ) == pytest.approx(1, abs=0.1)
    heights = await page.locator(".sound path").get_attribute("d")
    assert heights is not None
    assert "V96" in heights  # the loudest stretch reaches the full height


async def test_a_film_is_played_from_where_it_matches(page: Page, base: str) -> None:
    frames = colours(*["blue"] * 8, *["red"] * 5, *["green"] * 4, rate=4)
    film = film_bytes(frames, rate=4, kind=("webm", "libvpx", "libopus"))
    async with httpx.AsyncClient(base_url=base) as client:
        answer = await client.post(
            "/v1/collections/default/items:upload",
            files={"file": ("film.webm", film)},
            data={"id": "film.webm", "windows": "true"},
        )
    assert answer.json()["ok"] == 1, answer.text
    await ask(page, "red")
    card = page.locator(".card", has_text="film.webm")
    await expect(card.locator(".at")).to_have_text("▶ at 7.5-12.5 s")
    player = card.locator("video")
    await expect(player).to_have_attribute("src", re.compile("^blob:"))
    await card.locator(".at").click()
    await expect(player).to_have_js_property("paused", False)
    assert 7.5 <= await player.evaluate("p => p.currentTime") < 13
    await expect(page.locator(".card:not([data-id='film.webm']) .at:visible")).to_have_count(0)


async def test_only_the_wanted_modalities_answer(page: Page) -> None:
    await page.get_by_role("button", name="Sounds").click()
    await expect(cards(page)).to_have_count(1)
    await ask(page, "red")
    assert await names(page) == ["loud.wav"]
    await page.get_by_role("button", name="Texts").click()
    await expect(cards(page)).to_have_count(2)
    assert "m=audio%2Ctext" in page.url


async def test_more_like_this_finds_kin_without_the_item_itself(page: Page) -> None:
    await page.get_by_role("button", name="More like red.png").click()
    await expect(page.locator(".part .label")).to_have_text("red.png")
    await expect(page.locator("#status")).to_contain_text("4 hits")
    assert "red.png" not in await names(page)
    await page.go_back()
    await expect(cards(page)).to_have_count(5)
    await expect(page.locator(".part")).to_have_count(0)


async def test_a_dropped_picture_is_the_query_and_can_be_turned_around(page: Page) -> None:
    await drop(page, "mine.png", "image/png", image_bytes(picture("green", (64, 64))))
    await expect(page.locator("#status")).to_contain_text("5 hits")
    assert (await names(page))[0] == "green.png"
    await page.get_by_role("button", name="switch to less").click()
    await expect(page.locator(".part.less")).to_have_count(1)
    await expect(cards(page).last.locator(".name")).to_have_text("green.png")
    await page.get_by_role("button", name="Remove mine.png").click()
    await expect(page.locator("#status")).to_have_text("5 items in default")


async def test_a_chosen_sound_is_mixed_with_words(page: Page) -> None:
    sound = FilePayload(name="my.wav", mimeType="audio/wav", buffer=audio_bytes(tone(loudness=1.0)))
    await page.set_input_files("#file", files=[sound])
    await expect(cards(page).first.locator(".name")).to_have_text("loud.wav")
    await ask(page, "red")
    assert set((await names(page))[:3]) >= {"loud.wav", "red.png"}


async def test_of_files_chosen_together_each_is_asked_about(page: Page) -> None:
    files = {f"{name}.png": image_bytes(picture(name)) for name in ("red", "green", "blue")}
    chosen = [FilePayload(name=n, mimeType="image/png", buffer=data) for n, data in files.items()]
    await page.set_input_files("#file", files=chosen)
    await expect(page.locator(".part .label")).to_have_text([*files])
    await expect(page).to_have_title("red.png + green.png + blue.png · Kindred")


async def test_an_error_is_told_in_words(page: Page) -> None:
    await drop(page, "broken.png", "image/png", b"not a picture")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("broken.pngimage must be one of JPEG, PNG")
    await drop(page, "a.zip", "application/zip", b"PK")
    await expect(alert).to_contain_text("a.zip is neither a picture nor a sound")
    await page.get_by_role("button", name="Remove broken.png").click()
    await expect(alert).to_be_hidden()


async def test_names_are_shown_and_never_run(page: Page) -> None:
    await ask(page, "blue")
    assert (await names(page))[0] == NASTY
    assert await page.title() == "blue · Kindred"


async def test_the_keyboard_is_enough(page: Page) -> None:
    await expect(page.locator("#words")).to_be_focused()
    await page.keyboard.type("red")
    await page.keyboard.press("Enter")
    await expect(cards(page).first.locator(".name")).to_have_text("red.png")
    await page.get_by_role("button", name="More like red.png").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#status")).to_contain_text("4 hits")
    await page.get_by_role("button", name="Search").focus()
    await page.keyboard.press("/")
    await expect(page.locator("#words")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#status")).to_have_text("5 items in default")


async def test_nothing_jumps_when_hits_come(page: Page) -> None:
    before = await page.locator("#hits").bounding_box()
    await ask(page, "red")
    after = await page.locator("#hits").bounding_box()
    assert before is not None
    assert after is not None
    assert (before["x"], before["y"], before["width"]) == (after["x"], after["y"], after["width"])


async def test_a_search_can_be_bookmarked(page: Page, base: str) -> None:
    await page.goto(f"{base}/?c=default&q=green&m=image")
    await expect(cards(page).first.locator(".name")).to_have_text("green.png")
    await expect(page.get_by_role("button", name="Pictures")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.goto(f"{base}/?c=default&like={quote('photos/red.png', safe='')}")
    await expect(page.locator("#status")).to_contain_text("4 hits")


async def test_more_can_be_shown_of_items_and_of_hits(page: Page, base: str) -> None:
    async with httpx.AsyncClient(base_url=base) as client:
        items = [
            {"id": f"{place:02}", "content": {"type": "text", "text": f"blue {place} words"}}
            for place in range(30)
        ]
        answer = await client.post("/v1/collections/empty/items:upsert", json={"items": items})
        assert answer.json()["ok"] == 30, answer.text
    await page.goto(f"{base}/?c=empty")
    more = page.get_by_role("button", name="Show more")
    for _ in range(2):
        await expect(cards(page)).to_have_count(24)
        await more.click()
        await expect(cards(page)).to_have_count(30)
        assert len(set(await names(page))) == 30
        await expect(page.get_by_role("button", name="More like").nth(24)).to_be_focused()
        await expect(more).to_be_hidden()
        await ask(page, "blue")


async def test_pictures_and_texts_can_be_looked_at_closely(page: Page) -> None:
    await ask(page, "red")
    look = page.get_by_role("button", name="Look at red.png")
    await look.focus()
    await page.keyboard.press("Enter")
    viewer = page.locator("#viewer")
    await expect(viewer.locator("img")).to_have_js_property("naturalWidth", 32)
    await expect(viewer.locator(".caption")).to_contain_text("red.png")
    for _ in range(5):  # to the last one, and no further
        await page.keyboard.press("ArrowRight")
        if await viewer.locator("blockquote").count():
            break
    await expect(viewer.locator("blockquote")).to_have_text("red red bright words")
    await page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await expect(page.get_by_role("button", name="Read note.txt")).to_be_focused()


async def test_a_line_parts_kin_from_chance(page: Page) -> None:
    await ask(page, "red")
    likely = [
        float(each)
        for each in await page.locator("meter").evaluate_all("all => all.map(m => m.value)")
    ]
    above = await page.locator(".card:not(.rest ~ .card)").count()
    assert likely[above - 1] >= 0.5
    assert all(each < 0.5 for each in likely[above:])


async def test_collections_are_chosen(page: Page) -> None:
    await page.select_option("#collection", "empty")
    await expect(page.locator("#status")).to_have_text("Nothing to show in empty")
    await page.fill("#words", "red")
    await page.press("#words", "Enter")
    await expect(page.locator("#status")).to_contain_text("Nothing found")


async def test_the_documentation_names_every_method(page: Page, base: str) -> None:
    document = await (await page.request.get(f"{base}/openapi.json")).json()
    await page.goto(f"{base}/docs")
    count = sum(len(methods) for methods in document["paths"].values())
    await expect(page.locator("details")).to_have_count(count)
    await page.get_by_text("/v1/collections/{collection}/items:search").click()
    await expect(page.locator("details[open] pre").first).to_be_visible()


def test_the_pages_name_no_outside_address() -> None:
    for file in WEB.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, file.name


async def test_a_server_that_asks_for_a_key_is_opened_with_one(
    base: str, browser: Browser, tmp_path: Path
) -> None:
    _, key = KeyFile(tmp_path / ".keys.json").create("page", (Scope.READ,))
    page = await browser.new_page()
    await page.goto(base)
    await page.fill("#door input", key[:-1])
    await page.press("#door input", "Enter")
    await expect(page.locator("#door")).to_contain_text("The server knows no such key")
    await page.fill("#door input", key)
    await page.press("#door input", "Enter")
    await expect(cards(page)).to_have_count(5)
    await ask(page, "red")
    picture = cards(page).first.locator("img")
    await expect(picture).to_have_attribute("src", re.compile("^blob:"))
    assert await picture.evaluate("i => i.decode().then(() => i.naturalWidth)") == 32
    await page.close()
