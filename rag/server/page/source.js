// The right pane: the source of a citation, opened at its place. Each place has an address of its own.
import { pagePicture, pageText } from "./api.js";
import { $, clear, h, say } from "./dom.js";
import { desk, show } from "./main.js";
import { textBlocks, rowsTable } from "./text.js";
import { t } from "./words.js";

const WIDTH = 1200; // pixels of a page's picture
let shown = null;
let picture = ""; // the address of the picture that is shown

/** Open a document, at a passage where `place` has one. */
export function openPlace(place) {
  const values = { index: desk.index(), ...place };
  const wanted = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  location.hash = new URLSearchParams(wanted).toString();
  if (location.hash === "" || samePlace(values)) follow();
}

/** The place of a citation, as `openPlace` takes it. */
export function placeOf(citation) {
  return Object.fromEntries(new URLSearchParams(citation.url.split("#")[1]));
}

const samePlace = (values) => shown && shown.source === values.source && !$("source").hidden;

async function follow() {
  const place = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if (!place.source) return close();
  shown = place;
  try {
    const page = await pageText(place);
    if (shown !== place) return; // another was opened meanwhile
    $("source").hidden = false;
    document.querySelector(".desk").classList.add("reading");
    show("source");
    await draw(place, page);
  } catch (error) {
    $("source").hidden = false;
    document.querySelector(".desk").classList.add("reading");
    $("source-title").textContent = place.source;
    $("source-path").textContent = "";
    clear($("source-body"), h("p", { class: "note", role: "alert" }, error.message));
    show("source");
  }
}

async function draw(place, page) {
  $("source-title").textContent = page.title;
  $("source-path").textContent = page.source;
  paging(place, page);
  const body = $("source-body");
  const parts = [];
  if (!page.whole) parts.push(h("p", { class: "subhead" }, t("keptText")));
  if (place.start && page.start === null) parts.push(h("p", { class: "subhead" }, t("notLocated")));
  if (page.width) {
    parts.push(await sheet(place, page).catch(() => null));
    parts.push(h("h3", { class: "subhead" }, t("pageText")));
  }
  parts.push(page.rows.length ? rowsTable(page) : textBlocks(page));
  clear(body, parts.filter(Boolean));
  const first = body.querySelector(".box") ?? body.querySelector("mark") ?? body.querySelector(".cited");
  if (first) first.scrollIntoView({ block: "center" });
  else body.scrollTop = 0;
  say(`${page.title} ${page.page ? t("page", page.page) : ""}`);
  if (matchMedia("(max-width: 720px)").matches) body.focus({ preventScroll: true });
}

/** A page's picture with the passage marked: boxes are in points of the page. */
async function sheet(place, page) {
  const address = await pagePicture(place.source, page.page, place.index, WIDTH);
  if (picture) URL.revokeObjectURL(picture);
  picture = address;
  const image = h("img", { src: address, alt: t("picture", page.page, page.title) });
  await image.decode();
  const boxes = page.boxes.map(([left, top, right, bottom]) => {
    const box = h("div", { class: "box" });
    box.style.left = `${(100 * (left - 1)) / page.width}%`;
    box.style.top = `${(100 * (top - 1)) / page.height}%`;
    box.style.width = `${(100 * (right - left + 2)) / page.width}%`;
    box.style.height = `${(100 * (bottom - top + 2)) / page.height}%`;
    return box;
  });
  return h("div", { class: "sheet" }, image, boxes);
}

function paging(place, page) {
  const at = page.pages.indexOf(page.page);
  const there = page.page !== null && page.pages.length > 0;
  for (const [button, next] of [["page-back", page.pages[at - 1]], ["page-on", page.pages[at + 1]]]) {
    $(button).hidden = !there || page.pages.length < 2;
    $(button).disabled = next === undefined;
    $(button).onclick = () => openPlace({ source: place.source, page: next, index: place.index });
  }
  $("page-at").textContent = there ? t("pageOf", page.page, page.pages[page.pages.length - 1]) : "";
}

function close() {
  shown = null;
  $("source").hidden = true;
  document.querySelector(".desk").classList.remove("reading");
  if (document.body.dataset.pane === "source") show("talk");
}

export function startSource() {
  addEventListener("hashchange", follow);
  $("close-source").addEventListener("click", () => {
    history.pushState(null, "", location.pathname);
    close();
    desk.tell("sources");
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !$("source").hidden && !document.querySelector("dialog[open]")) $("close-source").click();
  });
  if (location.hash.includes("source=")) follow();
}
