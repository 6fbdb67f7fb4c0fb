// Items as cards: a picture, a film, a sound with its waveform and a player, or words.

import { content, mediaUrl } from "./api.js";

const BARS = 56;
const SVG = "http://www.w3.org/2000/svg";
const template = document.getElementById("card");

/** Makes the card of an item or a hit: `more` is called for its kin, `look` with it for a closer look. */
export function makeCard(collection, item, { more, look }) {
  const card = template.content.firstElementChild.cloneNode(true);
  card.dataset.id = item.id;
  card.querySelector(".media").append(mediaOf(collection, item));
  card.classList.add(item.modality);
  card.querySelector(".dot").classList.add(item.modality);
  const name = card.querySelector(".name span");
  name.textContent = nameOf(item);
  name.title = item.id;
  if (item.score !== undefined) showMatch(card, item);
  if (item.at) showMoment(card, item.at);
  const button = card.querySelector(".more");
  button.setAttribute("aria-label", `More like ${nameOf(item)}`);
  button.addEventListener("click", more);
  card.querySelector(".see")?.addEventListener("click", () => look(card));
  return card;
}

/** What a person would call an item: its title, else its file's name, without folders. */
export const nameOf = ({ id, metadata }) =>
  metadata?.title ?? (metadata?.filename ?? id).split("/").filter(Boolean).pop() ?? id;

/** Lets go of what a card holds that is removed from the page. */
export function discard(card) {
  const media = card.querySelector("audio, video, img");
  if (media?.src.startsWith("blob:")) URL.revokeObjectURL(media.src);
}

function showMatch(card, { score, calibrated, probability }) {
  const match = card.querySelector(".match");
  match.hidden = false;
  match.title = `cosine ${score.toFixed(4)}; ${calibrated.toFixed(2)} standard deviations above chance; `
    + `probability that it is no chance match ${(100 * probability).toFixed(1)} %`;
  match.querySelector("meter").value = probability;
  const sigma = `${calibrated < 0 ? "−" : "+"}${Math.abs(calibrated).toFixed(1)} σ`;
  match.querySelector(".numbers").textContent =
    `${Math.round(100 * probability)} %  ·  ${score.toFixed(3)}  ·  ${sigma}`;
}

/** Says where in a sound or a film the match is, and plays it from there when asked. */
function showMoment(card, { start, end }) {
  const button = card.querySelector(".at");
  button.hidden = false;
  button.textContent = `▶ at ${start.toFixed(1)}-${end.toFixed(1)} s`;
  button.addEventListener("click", () => {
    const player = card.querySelector("audio, video");
    if (!player) return;
    const play = () => { player.currentTime = start; player.play(); };
    if (player.readyState) play();
    else player.addEventListener("loadedmetadata", play, { once: true });
  });
}

function mediaOf(collection, item) {
  if (!item.has_content) return made("p", { className: "none", textContent: "not kept" });
  if (item.modality === "image") {
    const picture = made("img", { alt: nameOf(item), loading: "lazy", decoding: "async" });
    picture.addEventListener("error", () => showFilm(picture, collection, item), { once: true });
    mediaUrl(collection, item.id).then((url) => { picture.src = url; }, () => {});
    return seen(picture, `Look at ${nameOf(item)}`);
  }
  return item.modality === "audio" ? soundOf(collection, item) : wordsOf(collection, item);
}

/** Makes something that can be looked at more closely. */
function seen(media, label) {
  const button = made("button", { type: "button", className: "see" });
  button.setAttribute("aria-label", label);
  button.append(media);
  return button;
}

/** Puts a film in the place of a picture that is none. */
async function showFilm(picture, collection, item) {
  const player = made("video", { controls: true, preload: "metadata", muted: true });
  player.setAttribute("aria-label", nameOf(item));
  player.addEventListener("play", () => pauseOthers(player));
  picture.parentElement.replaceWith(player);
  const blob = await (await content(collection, item.id)).blob();
  player.src = URL.createObjectURL(blob);
}

function wordsOf(collection, item) {
  const quote = made("blockquote");
  const words = made("span");
  quote.append(words);
  content(collection, item.id).then((response) => response.text())
    .then((text) => { words.textContent = text; }, () => { words.textContent = "…"; });
  return seen(quote, `Read ${nameOf(item)}`);
}

function soundOf(collection, item) {
  const sound = made("div", { className: "sound" });
  const player = made("audio", { controls: true, preload: "none" });
  player.setAttribute("aria-label", nameOf(item));
  player.setAttribute("controlslist", "nodownload noplaybackrate"); // what remains has room for the time line
  player.addEventListener("play", () => pauseOthers(player));
  sound.append(bars(new Array(BARS).fill(0)), player);
  whenSeen(sound, () => showSound(sound, player, collection, item.id));
  return sound;
}

async function showSound(sound, player, collection, id) {
  const blob = await (await content(collection, id)).blob();
  player.src = URL.createObjectURL(blob); // can be wound forth and back, and is not fetched again
  player.preload = "metadata";
  const decoder = new OfflineAudioContext(1, 1, 16_000);
  const { data, error } = await decoder.decodeAudioData(await blob.arrayBuffer())
    .then((buffer) => ({ data: buffer.getChannelData(0) }), (error) => ({ error }));
  if (!error) sound.firstElementChild.replaceWith(bars(peaks(data)));
}

/** The loudest sample of each of BARS stretches, from 0 to 1. */
function peaks(samples) {
  const stretch = Math.max(1, Math.floor(samples.length / BARS));
  const found = Array.from({ length: BARS }, (_, bar) => {
    let peak = 0;
    for (let i = bar * stretch; i < Math.min((bar + 1) * stretch, samples.length); i++) {
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    return peak;
  });
  const highest = Math.max(...found, 1e-6);
  return found.map((peak) => peak / highest);
}

function bars(heights) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${BARS * 4} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", heights.map((height, i) => {
    const half = 2 + 44 * height;
    return `M${i * 4 + 2} ${50 - half}V${50 + half}`;
  }).join(""));
  line.setAttribute("stroke", "currentColor");
  line.setAttribute("stroke-width", "2.2");
  line.setAttribute("stroke-linecap", "round");
  svg.append(line);
  return svg;
}

function pauseOthers(player) {
  for (const other of document.querySelectorAll("audio, video")) {
    if (other !== player) other.pause();
  }
}

const watch = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watch.unobserve(target);
    target.dispatchEvent(new Event("seen"));
  }
}, { rootMargin: "200px" });

function whenSeen(element, work) {
  element.addEventListener("seen", work, { once: true });
  watch.observe(element);
}

/** Makes an element with these properties. */
export const made = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
