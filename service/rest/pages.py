"""Pages for people: the search page and the documentation. Static, and nothing from elsewhere."""

from pathlib import Path

from fastapi import APIRouter, Request

from service.rest.files import File

router = APIRouter(include_in_schema=False)

WEB = Path(__file__).parent.parent / "web"
"""The folder of the pages."""

_FILES = {"/": WEB / "index.html", "/docs": WEB / "docs.html"} | {
    f"/web/{file.name}": file for file in WEB.iterdir() if file.suffix != ".html"
}
_ONLY_OURS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob: data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
}
"""Whatever a stored text or name may hold, the browser runs nothing but our own files."""


async def _file(request: Request) -> File:
    return File(_FILES[request.scope["path"]], headers=_ONLY_OURS)


for _path in _FILES:
    router.add_api_route(_path, _file, response_class=File)
