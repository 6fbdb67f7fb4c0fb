// The search page: what is asked, and its answer. The address bar holds words, collection and
// modalities, so that a search can be bookmarked; files dropped on the page stay in the page.

import { listCollections, listItems, mediaUrl, search } from "./api.js";
import { discard, made, makeCard, nameOf } from "./cards.js";
import { look } from "./viewer.js";

const HITS = 24; // on a page: fills rows of two, three and four
const MOST = 960; // hits that are shown at all; a server takes 1,000 unless it is told otherwise
const PATIENCE = 400; // ms of silence before the page says that it is waiting
const $ = (id) => document.getElementById(id);
const [form, words, chooser] = ["form", "words", "collection"].map($);
const [toggles, list, next] = ["modalities", "hits", "next"].map($);

/** Pictures, sounds and items in the query: {part, label, picture, weight}. */
let parts = [];
let running = new AbortController();

/** What is shown, and what asks for more of it: a page's token, or of a search how many hits. */
let [shown, token] = [[], null];

// --- Asking -------------------------------------------------------------------------------------

async function ask({ remember = true, after = null } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (remember) writeAddress();
  document.title = [asked(), "Kindred"].filter(Boolean).join(" · ");
  if (!chooser.value) return;
  list.setAttribute("aria-busy", "true");
  const waiting = setTimeout(() => say("Looking…"), PATIENCE);
  try {
    await (asked() ? found : browsed)(chooser.value, after, signal);
    complain(null);
  } catch (error) {
    if (signal.aborted) return;
    complain(error);
    fill([], null);
    say("");
  } finally {
    clearTimeout(waiting);
  }
  list.removeAttribute("aria-busy");
}

/** What is asked for, in words; nothing where the collection is only looked through. */
const asked = () => [words.value.trim(), ...parts.map(({ label }) => label)].filter(Boolean).join(" + ");

async function found(collection, after, signal) {
  const wanted = after ?? HITS;
  const answer = await search(collection, question(wanted), signal);
  const count = answer.hits.length;
  const known = new Set(after ? shown.map(({ id }) => id) : []);
  const fresh = answer.hits.filter(({ id }) => !known.has(id));
  fill(fresh, count === wanted && wanted < MOST ? wanted + HITS : null, after !== null);
  const what = count ? `${count} ${count === 1 ? "hit" : "hits"}` : "Nothing found";
  say(`${what} in ${Math.max(1, Math.round(answer.timing_ms.total))} ms, ranked by ${answer.ranking} score`);
}

async function browsed(collection, after, signal) {
  const wanted = pressed();
  const page = await listItems(collection, HITS, wanted, after, signal);
  fill(page.items, page.next_page_token || null, after !== null);
  const counts = Object.entries(JSON.parse(chooser.selectedOptions[0].dataset.counts));
  const total = counts
    .filter(([modality]) => !wanted.length || wanted.includes(modality))
    .reduce((sum, [, count]) => sum + count, 0);
  const first = total > shown.length ? `The first ${shown.length} of ` : "";
  const all = `${first}${total} ${total === 1 ? "item" : "items"} in ${collection}`;
  say(total ? all : `Nothing to show in ${collection}`);
}

function question(k) {
  const text = words.value.trim();
  const query = parts.map(({ part, weight }) => ({ ...part, weight }));
  if (text) query.unshift({ type: "text", text });
  const known = parts.filter(({ part }) => part.type === "item").map(({ part }) => part.id);
  return {
    query,
    k,
    modalities: pressed(),
    ...(known.length && { filter: { id: { $nin: known } } }), // an item is its own nearest kin
  };
}

// --- Answering ----------------------------------------------------------------------------------

/** Shows these answers, behind those that are shown if they `grow`; `more` asks for the next. */
function fill(items, more, grow = false) {
  if (!grow) [...list.children].forEach(discard);
  if (!grow) list.replaceChildren();
  shown = grow ? [...shown, ...items] : items;
  token = more;
  next.hidden = !more;
  const collection = chooser.value;
  list.append(...items.map((item) => makeCard(collection, item, { more: () => moreLike(item), look })));
  drawTheLine();
}

/** Sets apart the hits that are likelier chance than not: they are found whatever is asked. */
function drawTheLine() {
  list.querySelector(".rest")?.remove();
  const likely = shown.findLastIndex(({ probability = 1 }) => probability >= 0.5) + 1;
  if (likely === shown.length) return;
  const text = likely ? "From here on, likelier chance than kin" : "Nothing fits well; the nearest there is";
  list.insertBefore(made("li", { className: "rest", textContent: text }), list.children[likely]);
}

async function moreLike(item) {
  words.value = "";
  const shown = item.modality === "image" && item.has_content;
  const picture = shown ? await mediaUrl(chooser.value, item.id).catch(() => null) : null;
  parts = [{ part: { type: "item", id: item.id }, label: nameOf(item), modality: item.modality, picture, weight: 1 }];
  showParts();
  scrollTo({ top: 0, behavior: "smooth" });
  words.focus({ preventScroll: true });
  ask();
}

function say(text) {
  $("status").textContent = text || "\u00a0";
}

function complain(error) {
  const box = $("alert");
  box.hidden = !error;
  box.replaceChildren();
  if (error) box.append(made("b", { textContent: culprit(error) }), error.message.replace(/^item \d+: /, ""));
}

/** What an error is about: the words or the file that it names by its place in the query. */
function culprit({ index }) {
  const labels = [...(words.value.trim() ? ["The words"] : []), ...parts.map(({ label }) => label)];
  return labels[index] ?? "That did not work";
}

// --- Parts of the query -------------------------------------------------------------------------

async function addFiles(files) {
  for (const file of [...files]) { // a chooser's list is emptied meanwhile
    const kind = file.type.split("/")[0];
    const modality = kind === "video" ? "image" : kind; // what is seen of a film
    if (modality !== "image" && modality !== "audio") {
      complain(new Error(`${file.name} is neither a picture nor a sound nor a film.`));
      return;
    }
    const data = await dataUrl(file);
    const picture = kind === "image" ? data : null;
    parts.push({ part: { type: modality, data }, label: file.name, modality, picture, weight: 1 });
  }
  showParts();
  ask();
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = Object.assign(new FileReader(), {
      onload: () => resolve(reader.result),
      onerror: () => reject(reader.error),
    });
    reader.readAsDataURL(file);
  });
}

function showParts() {
  $("parts").replaceChildren(...parts.map(chip));
}

function chip(part) {
  const { label, modality, picture, weight } = part;
  const item = made("li", { className: weight < 0 ? "part less" : "part" });
  const dot = made("span", { className: "tile" });
  dot.append(made("i", { className: `dot ${modality}` }));
  const tile = picture ? made("img", { src: picture, alt: "" }) : dot;
  tile.addEventListener("error", () => tile.replaceWith(dot), { once: true }); // of no picture at all
  const sign = made("button", { type: "button", textContent: weight < 0 ? "−" : "+", title: "More or less of this" });
  sign.setAttribute("aria-label", weight < 0 ? `Less like ${label}; switch to more` : `More like ${label}; switch to less`);
  sign.addEventListener("click", () => change(() => { part.weight = -weight; }));
  const remove = made("button", { type: "button", textContent: "×", title: "Remove" });
  remove.setAttribute("aria-label", `Remove ${label}`);
  remove.addEventListener("click", () => change(() => { parts = parts.filter((other) => other !== part); }));
  item.append(tile, made("span", { className: "label", textContent: label, title: label }), sign, remove);
  return item;
}

function change(how) {
  how();
  showParts();
  words.focus();
  ask();
}

// --- Address bar --------------------------------------------------------------------------------

const pressed = () => [...toggles.querySelectorAll("[aria-pressed=true]")].map((button) => button.value);

function writeAddress() {
  const like = parts.filter(({ part }) => part.type === "item").map(({ part }) => part.id);
  const entries = [["c", chooser.value], ["q", words.value.trim()], ["m", pressed().join(",")], ...like.map((id) => ["like", id])];
  const address = `?${new URLSearchParams(entries.filter(([, value]) => value))}`;
  if (address !== location.search) history.pushState(null, "", address);
}

function readAddress() {
  const address = new URLSearchParams(location.search);
  const known = [...chooser.options].map((option) => option.value);
  const wanted = address.get("c");
  chooser.value = known.includes(wanted) ? wanted : known.includes("default") ? "default" : known[0] ?? "";
  words.value = address.get("q") ?? "";
  const modalities = (address.get("m") ?? "").split(",");
  for (const button of toggles.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(modalities.includes(button.value)));
  }
  parts = address.getAll("like").map((id) => ({ part: { type: "item", id }, label: id, modality: "", picture: null, weight: 1 }));
  showParts();
}

// --- Start --------------------------------------------------------------------------------------

async function start() {
  try {
    const collections = await listCollections();
    chooser.replaceChildren(...collections.map(({ name, counts }) => {
      const option = made("option", { value: name, textContent: name });
      option.dataset.counts = JSON.stringify(counts);
      return option;
    }));
    chooser.disabled = !collections.length;
    $("here").textContent = location.origin;
    $("empty").hidden = collections.length > 0;
  } catch (error) {
    complain(error);
    return;
  }
  readAddress();
  await ask({ remember: false });
}

form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
chooser.addEventListener("change", () => { parts = parts.filter(({ part }) => part.type !== "item"); showParts(); ask(); });
toggles.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  ask();
});
next.addEventListener("click", async () => {
  const before = shown.length;
  await ask({ remember: false, after: token });
  list.querySelectorAll(".card")[before]?.querySelector(".more").focus({ preventScroll: true });
});
$("attach").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => { addFiles(target.files); target.value = ""; });
addEventListener("popstate", () => { readAddress(); ask({ remember: false }); });
addEventListener("paste", ({ clipboardData }) => { if (clipboardData.files.length) addFiles([...clipboardData.files]); });
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== words) { event.preventDefault(); words.select(); }
  if (event.key === "Escape" && document.activeElement === words) change(() => { words.value = ""; parts = []; });
});

let depth = 0; // dragenter and dragleave also come from every child
addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; $("drop").classList.add("open"); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("dragleave", () => { depth -= 1; if (!depth) $("drop").classList.remove("open"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("drop").classList.remove("open");
  addFiles([...event.dataTransfer.files]);
});

start();
