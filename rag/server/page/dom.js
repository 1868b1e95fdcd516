// Elements are made from text alone: nothing here, and nothing that uses it, parses HTML.

export const $ = (id) => document.getElementById(id);

/** An element: properties (`class`, `data-*`, `aria-*`, listeners as `onclick`), then children. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const clear = (element, ...children) => element.replaceChildren(...children.flat());

/** Tell it to those who listen rather than look. */
export function say(text) {
  $("said").textContent = text;
}
