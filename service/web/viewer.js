// A closer look at cards: the whole picture, or all of a text, and on to the next one.

const dialog = document.getElementById("viewer");
const [stage, caption] = [dialog.querySelector(".stage"), dialog.querySelector(".caption")];
let card;

/** Opens on a card; where it is closed, its last card has the focus. */
export function look(chosen) {
  show(chosen);
  dialog.showModal();
}

function show(chosen) {
  card = chosen;
  const seen = card.querySelector(".see").firstElementChild.cloneNode(true);
  seen.removeAttribute("loading");
  stage.replaceChildren(seen);
  stage.scrollTop = 0;
  const numbers = card.querySelector(".numbers").textContent;
  caption.textContent = [card.querySelector(".name").textContent.trim(), numbers].filter(Boolean).join("  ·  ");
}

function step(by) {
  const cards = [...document.querySelectorAll(".card:has(.see)")];
  const other = cards[cards.indexOf(card) + by];
  if (other) show(other);
}

dialog.addEventListener("click", ({ target }) => {
  const by = target.closest("[data-step]")?.dataset.step;
  if (by) step(Number(by));
  else if (!target.closest(".stage > *, .caption")) dialog.close();
});
dialog.addEventListener("keydown", ({ key }) => {
  if (key === "ArrowRight") step(1);
  if (key === "ArrowLeft") step(-1);
});
dialog.addEventListener("close", () => card.querySelector(".see").focus());
