// The search page: what is asked, and its answer. The address bar holds words, collection and
// modalities, so that a search can be bookmarked; files dropped on the page stay in the page.

import { listCollections, listItems, mediaUrl, search } from "./api.js";
import { discard, made, makeCard, nameOf } from "./cards.js";

const HITS = 24;
const $ = (id) => document.getElementById(id);
const [form, words, chooser, list, toggles] = ["form", "words", "collection", "hits", "modalities"].map($);

/** Pictures, sounds and items in the query: {part, label, picture, weight}. */
let parts = [];
let running = new AbortController();

// --- Asking -------------------------------------------------------------------------------------

async function ask({ remember = true } = {}) {
  running.abort();
  running = new AbortController();
  if (remember) writeAddress();
  if (!chooser.value) return;
  list.setAttribute("aria-busy", "true");
  try {
    const show = words.value.trim() || parts.length ? found : browsed;
    await show(chooser.value, running.signal);
    complain(null);
  } catch (error) {
    if (error.name === "AbortError") return;
    complain(error);
    fill([]);
    say("");
  }
  list.removeAttribute("aria-busy");
}

async function found(collection, signal) {
  const answer = await search(collection, question(), signal);
  fill(answer.hits);
  const count = answer.hits.length;
  const what = count ? `${count} ${count === 1 ? "hit" : "hits"}` : "Nothing found";
  say(`${what} in ${Math.max(1, Math.round(answer.timing_ms.total))} ms, ranked by ${answer.ranking} score`);
}

async function browsed(collection, signal) {
  const wanted = pressed();
  const items = await listItems(collection, HITS, wanted, signal);
  fill(items);
  const counts = Object.entries(JSON.parse(chooser.selectedOptions[0].dataset.counts));
  const total = counts
    .filter(([modality]) => !wanted.length || wanted.includes(modality))
    .reduce((sum, [, count]) => sum + count, 0);
  const first = total > items.length ? `The first ${items.length} of ` : "";
  say(total ? `${first}${total} ${total === 1 ? "item" : "items"} in ${collection}` : `Nothing to show in ${collection}`);
}

function question() {
  const text = words.value.trim();
  const query = parts.map(({ part, weight }) => ({ ...part, weight }));
  if (text) query.unshift({ type: "text", text });
  const known = parts.filter(({ part }) => part.type === "item").map(({ part }) => part.id);
  return {
    query,
    k: HITS,
    modalities: pressed(),
    ...(known.length && { filter: { id: { $nin: known } } }), // an item is its own nearest kin
  };
}

// --- Answering ----------------------------------------------------------------------------------

function fill(items) {
  const collection = chooser.value;
  [...list.children].forEach(discard);
  list.replaceChildren(...items.map((item) => makeCard(collection, item, () => moreLike(item))));
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
  for (const file of files) {
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
  const tile = picture ? made("img", { src: picture, alt: "" }) : made("span", { className: "tile" });
  if (!picture) tile.append(made("i", { className: `dot ${modality}` }));
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
    if (!collections.length) say("There is no collection yet. Make one with: kindred index FOLDER");
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
