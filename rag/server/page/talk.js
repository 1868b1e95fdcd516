// The middle pane: the conversation.
import { ask } from "./api.js";
import { $, clear, h, say } from "./dom.js";
import { keep, kept } from "./kept.js";
import { desk, show } from "./main.js";
import { startMention } from "./mention.js";
import { drawTurn, hideQuote } from "./turn.js";
import { exportTalk } from "./export.js";
import { t } from "./words.js";

const REMEMBERED = 6; // turns that are sent along with a question
let talk = { begun: Date.now(), turns: [] };
let running = null; // what stops the answer that is being written

function draw() {
  const turns = $("turns");
  hideQuote();
  if (!talk.turns.length) clear(turns, welcome());
  else clear(turns, talk.turns.map((turn) => drawTurn(turn, doing)));
  $("export").disabled = !talk.turns.length;
  const others = kept.talks.filter((each) => each.turns.length);
  $("earlier").hidden = !others.length;
  clear($("earlier"), h("option", { value: "" }, t("earlier")),
    others.map((each, i) => h("option", { value: i }, each.turns[0].question.slice(0, 60))).reverse());
}

function welcome() {
  const count = desk.sources.length;
  return h("div", { class: "turn empty" },
    h("p", { class: "asked" }, t(count ? "welcome" : "noDocuments")),
    h("p", {}, count ? t("welcomeNote", count) : t("howToAdd")),
    count ? null : h("p", {}, t("howToIngest")));
}

const doing = {
  again: (turn) => put(turn.question),
  ask: (question) => put(question),
};

function historyOf() {
  return talk.turns
    .filter((turn) => turn.done)
    .slice(-REMEMBERED)
    .map((turn) => ({ question: turn.question, answer: turn.done.text.slice(0, 20000) }));
}

async function put(question) {
  if (running || !question.trim()) return;
  show("talk");
  const body = { question, index: desk.index(), sources: [...desk.ticked], history: historyOf(), quote: kept.quote };
  if (kept.strictness !== null) body.strictness = kept.strictness;
  const turn = { question, text: "", hits: null, state: t("searching"), done: null, error: "" };
  talk.turns.push(turn);
  draw();
  $("turns").lastElementChild.scrollIntoView({ block: "start" });
  running = new AbortController();
  $("send").hidden = true;
  $("stop").hidden = false;
  try {
    for await (const [name, data] of ask(body, running.signal)) hear(turn, name, data);
    if (!turn.done && !turn.error) turn.error = t("noServer");
  } catch (error) {
    if (error.name === "AbortError") turn.text += `${turn.text ? " " : ""}${t("stopped")}`;
    else turn.error = error.message;
  }
  running = null;
  turn.state = "";
  $("send").hidden = false;
  $("stop").hidden = true;
  redraw(turn);
  say(turn.error || t("answered"));
  if (!kept.talks.includes(talk)) kept.talks.push(talk);
  keep();
}

function hear(turn, name, data) {
  if (name === "queued") turn.state = t("queued", data.place);
  if (name === "found") turn.hits = data.hits;
  if (name === "reading") turn.state = t("reading", turn.hits?.length ?? 0);
  if (name === "text") turn.text += data.text;
  if (name === "error") turn.error = data.error.message;
  if (name === "done") turn.done = data;
  redraw(turn);
}

function redraw(turn) {
  const turns = $("turns");
  const at = talk.turns.indexOf(turn);
  if (at < 0) return;
  turns.children[at]?.replaceWith(drawTurn(turn, doing));
}

function renew() {
  running?.abort();
  talk = { begun: Date.now(), turns: [] };
  draw();
  $("question").focus();
}

function fit() {
  const field = $("question");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

function drawNarrowed() {
  clear($("narrowed"), [...desk.ticked].map((source) => {
    const name = source.slice(source.lastIndexOf("/") + 1);
    const drop = () => { desk.ticked.delete(source); desk.tell("ticked"); };
    return h("button", { type: "button", "aria-label": t("notAny", name), onclick: drop }, `${name} ×`);
  }));
}

export function startTalk() {
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const question = $("question").value.trim();
    if (!question || running) return;
    $("question").value = "";
    fit();
    put(question);
  });
  $("stop").addEventListener("click", () => running?.abort());
  $("new-talk").addEventListener("click", renew);
  $("export").addEventListener("click", () => exportTalk(talk));
  $("earlier").addEventListener("change", (event) => {
    if (event.target.value === "") return;
    running?.abort();
    talk = kept.talks[Number(event.target.value)];
    draw();
  });
  startMention($("question"), $("mention")); // hears keys first: Enter chooses a document while the list is open
  $("question").addEventListener("input", fit);
  $("question").addEventListener("keydown", (event) => {
    // Enter while an input method composes Chinese chooses a word: it sends nothing.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !event.defaultPrevented) {
      event.preventDefault();
      $("ask").requestSubmit();
    }
  });
  document.addEventListener("forgotten", renew);
  desk.on("words", draw);
  desk.on("sources", () => { if (!talk.turns.length) draw(); });
  desk.on("ticked", drawNarrowed);
  desk.on("words", drawNarrowed);
  draw();
}
