// Settings, kept in this browser.
import { $ } from "./dom.js";
import { keep, kept } from "./kept.js";
import { desk, refresh } from "./main.js";
import { t, translate } from "./words.js";

function dress() {
  if (kept.theme) document.documentElement.dataset.theme = kept.theme;
  else delete document.documentElement.dataset.theme;
}

function fill() {
  $("set-language").value = kept.language;
  $("set-theme").value = kept.theme;
  $("writer-model").textContent = t("writtenBy", desk.status?.llm ?? "…");
  $("writer-model").hidden = desk.status?.llm === "none";
  $("set-writer").value = kept.quote || desk.status?.llm === "none" ? "quote" : "";
  $("set-strictness").value = kept.strictness ?? desk.status?.strictness ?? 0.5;
  $("set-key").value = kept.key;
  $("key-row").hidden = Boolean(desk.status) && !kept.key;
}

export function startSettings() {
  dress();
  $("open-settings").addEventListener("click", () => {
    fill();
    $("settings").showModal();
  });
  $("set-language").addEventListener("change", (event) => {
    keep({ language: event.target.value });
    translate();
    fill();
    desk.tell("words");
  });
  $("set-theme").addEventListener("change", (event) => {
    keep({ theme: event.target.value });
    dress();
  });
  $("set-writer").addEventListener("change", (event) => keep({ quote: event.target.value === "quote" }));
  $("set-strictness").addEventListener("change", (event) => keep({ strictness: Number(event.target.value) }));
  $("set-key").addEventListener("change", (event) => {
    keep({ key: event.target.value.trim() });
    refresh().catch(() => {});
  });
  $("forget-talks").addEventListener("click", () => {
    keep({ talks: [] });
    $("settings").close();
    document.dispatchEvent(new Event("forgotten"));
  });
}
