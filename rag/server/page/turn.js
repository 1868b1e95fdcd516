// One question with its answer.
import { $, clear, h, say } from "./dom.js";
import { turnMarkdown } from "./export.js";
import { openPlace, placeOf } from "./source.js";
import { t, whereIs } from "./words.js";

/** The element of a turn; `doing` has `again` and `ask`. */
export function drawTurn(turn, doing) {
  const { done } = turn;
  const text = done?.text ?? turn.text;
  const places = new Map((done?.citations ?? []).map((citation) => [citation.n, citation]));
  const parts = [h("h3", { class: "asked" }, turn.question)];
  if (done && done.asked !== done.question) parts.push(h("p", { class: "rewritten" }, t("asIf", done.asked)));
  if (text) parts.push(h("div", { class: "answer" }, answerBlocks(text, places)));
  if (turn.error) parts.push(h("div", { class: "answer" }, h("p", { class: "wrong", role: "alert" }, turn.error)));
  if (turn.state && !done && !turn.error) parts.push(h("p", { class: "waiting" }, turn.state));
  if (!done && !text && !turn.error && turn.hits?.length) parts.push(passages(t("foundPassages"), turn.hits.slice(0, 4)));
  if (done?.citations.length) parts.push(passages(t("citations"), done.citations, true));
  if (done?.refused && done.nearest.length) parts.push(passages(t("nearest"), done.nearest));
  if (done || turn.error || (text && !turn.state)) parts.push(actions(turn, doing));
  if (done?.suggestions.length) parts.push(suggested(done.suggestions, doing));
  return h("article", { class: "turn" }, parts);
}

/** The answer's text: lines as paragraphs, rows as a table, [n] as what leads to citation n. */
function answerBlocks(text, places) {
  const blocks = [];
  let table = null;
  for (const line of unwrapped(text)) {
    if (/^\s*[“「]?\s*\|.*\|/.test(line)) {
      if (/^[\s|:-]+$/.test(line)) continue;
      if (!table) blocks.push(h("div", { class: "scroll" }, (table = h("table"))));
      const cells = line.replace(/^\s*\|/, "").split("|");
      const last = cells.pop();
      if (last.trim()) cells.push(last);
      table.append(h("tr", {}, cells.map((cell) => h("td", {}, withChips(cell.trim(), places)))));
    } else {
      table = null;
      if (line.trim()) blocks.push(h("p", {}, withChips(line.replace(/^([“「]?)#+\s+/, "$1"), places)));
    }
  }
  return blocks;
}

/** Lines, those joined that were only wrapped: long ones that no citation, row or new item ends. */
function unwrapped(text) {
  const lines = [];
  for (const line of text.split("\n")) {
    const before = lines[lines.length - 1] ?? "";
    const wrapped = before.length > 55 && !/[\]|。！？]\s*$/.test(before) && !/^\s*([-*+•|#>“「]|\d+[.)、])/.test(line) && line.trim();
    if (wrapped) lines[lines.length - 1] += (/[\u3000-\u9fff\uff00-\uffef]$/.test(before) ? "" : " ") + line.trim();
    else lines.push(line);
  }
  return lines;
}

function withChips(text, places) {
  return text.split(/(\[\d+\])/).map((part) => {
    const n = Number(/^\[(\d+)\]$/.exec(part)?.[1]);
    return places.has(n) ? chip(n, places.get(n)) : part;
  });
}

function chip(n, place) {
  const button = h("button", { type: "button", class: "chip", "aria-label": t("citation", n, whereIs(place)) }, String(n));
  button.addEventListener("click", () => { hideQuote(); openPlace(placeOf(place)); });
  for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => showQuote(button, place));
  for (const name of ["pointerleave", "blur"]) button.addEventListener(name, hideQuote);
  return button;
}

function showQuote(button, place) {
  const box = $("quote");
  clear(box, h("p", { class: "where" }, whereIs(place)), h("p", { class: "words" }, place.quote));
  box.hidden = false;
  const [at, size] = [button.getBoundingClientRect(), box.getBoundingClientRect()];
  const above = at.top > size.height + 16;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  box.style.top = `${above ? at.top - size.height - 6 : Math.min(at.bottom + 6, innerHeight - size.height - 8)}px`;
  button.setAttribute("aria-describedby", "quote");
}

export function hideQuote() {
  $("quote").hidden = true;
}

function passages(title, places, numbered = false) {
  return h("section", {}, h("h3", {}, title), h("ul", { class: "passages" }, places.map((place) =>
    h("li", {}, h("button", { type: "button", class: "passage", onclick: () => openPlace(placeOf(place)) },
      h("span", { class: "where" }, numbered ? h("b", {}, `[${place.n}] `) : null, whereIs(place)),
      h("span", { class: "words" }, withoutHeading(place)))))));
}

/** The words of a passage in one line; its heading stands above them already. */
function withoutHeading(place) {
  const words = place.quote.replace(/^#+\s*/, "").replace(/\s+/g, " ").trim();
  const title = place.heading[place.heading.length - 1];
  return title && words.startsWith(`${title} `) ? words.slice(title.length + 1) : words;
}

function actions(turn, doing) {
  const copy = async () => {
    await copyText(turnMarkdown(turn));
    say(t("copied"));
  };
  return h("div", { class: "doing" },
    turn.done ? h("button", { type: "button", class: "quiet", onclick: copy }, t("copy")) : null,
    h("button", { type: "button", class: "quiet", onclick: () => doing.again(turn) }, t("askAgain")));
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = h("textarea", { "aria-hidden": "true" }, text); // a page without https has no clipboard of its own
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function suggested(titles, doing) {
  return h("section", {}, h("h3", {}, t("suggested")), h("div", { class: "suggested" },
    titles.map((title) => h("button", { type: "button", onclick: () => doing.ask(t("whatOf", title)) }, title))));
}
