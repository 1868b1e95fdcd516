// "@" in the question names a document: the question is then put to it alone.
import { clear, h } from "./dom.js";
import { desk } from "./main.js";

const MOST = 8;

export function startMention(field, list) {
  let chosen = 0;
  let found = [];

  const typed = () => /(?:^|\s)@([^\s@]*)$/.exec(field.value.slice(0, field.selectionStart));

  const hide = () => {
    list.hidden = true;
    field.removeAttribute("aria-activedescendant");
  };

  const draw = () => {
    const match = typed();
    if (!match) return hide();
    const wanted = match[1].toLowerCase();
    found = desk.sources.filter((each) => each.source.toLowerCase().includes(wanted)).slice(0, MOST);
    if (!found.length) return hide();
    chosen = Math.min(chosen, found.length - 1);
    clear(list, found.map((each, i) =>
      h("li", { role: "option", id: `mention-${i}`, "aria-selected": String(i === chosen),
        onpointerdown: (event) => { event.preventDefault(); take(i); } }, each.source)));
    list.hidden = false;
    field.setAttribute("aria-activedescendant", `mention-${chosen}`);
  };

  const take = (i) => {
    const match = typed();
    const at = field.selectionStart;
    field.value = field.value.slice(0, at - match[1].length - 1) + field.value.slice(at);
    desk.ticked.add(found[i].source);
    desk.tell("ticked");
    hide();
    field.focus();
  };

  field.addEventListener("input", () => { chosen = 0; draw(); });
  field.addEventListener("blur", hide);
  field.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      draw();
    } else if (event.key === "Enter" || event.key === "Tab") take(chosen);
    else if (event.key === "Escape") hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
