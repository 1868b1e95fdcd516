// The page: three panes, each in a module of its own, and what they share.
import { get } from "./api.js";
import { $, h } from "./dom.js";
import { keep, kept } from "./kept.js";
import { startLibrary } from "./library.js";
import { startSettings } from "./settings.js";
import { startSource } from "./source.js";
import { startTalk } from "./talk.js";
import { translate } from "./words.js";

/** What the panes share: the server's state, the documents, those that are ticked. */
export const desk = {
  status: null,
  sources: [],
  ticked: new Set(),
  index: () => kept.index || desk.status?.indexes[0]?.name || "",
  listeners: { sources: [], ticked: [], words: [], status: [] },
  on(name, listener) {
    desk.listeners[name].push(listener);
  },
  tell(name) {
    for (const listener of desk.listeners[name]) listener();
  },
};

export function show(pane) {
  document.body.dataset.pane = pane;
  for (const tab of document.querySelectorAll(".tabs button")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.pane === pane));
  }
}

export async function refresh() {
  desk.status = await get("/api/status");
  if (!desk.status.indexes.some((index) => index.name === kept.index)) keep({ index: "" });
  desk.sources = (await get("/api/sources", { index: desk.index() })).sources;
  const names = new Set(desk.sources.map((source) => source.source));
  desk.ticked = new Set([...desk.ticked].filter((source) => names.has(source)));
  const choice = $("index");
  choice.hidden = desk.status.indexes.length < 2;
  choice.replaceChildren(
    ...desk.status.indexes.map((index) => h("option", { value: index.name, selected: index.name === desk.index() }, index.name)),
  );
  desk.tell("status");
  desk.tell("sources");
  desk.tell("ticked");
}

function takeKey() {
  const place = new URLSearchParams(location.hash.slice(1));
  if (!place.has("key")) return;
  keep({ key: place.get("key") });
  history.replaceState(null, "", location.pathname);
}

takeKey();
translate();
for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => show(tab.dataset.pane));
show("talk");
$("index").addEventListener("change", (event) => {
  keep({ index: event.target.value });
  desk.ticked.clear();
  refresh();
});
startSettings();
startLibrary();
startTalk();
await refresh().catch((error) => {
  $("tree").replaceChildren(h("p", { class: "empty", role: "alert" }, error.message));
  $("said").textContent = error.message;
});
startSource();
document.body.dataset.ready = "true";
