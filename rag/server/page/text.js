// A page's text as it reads, with the passage marked. Every piece keeps its offset, so that the marks fall where they belong.
import { h } from "./dom.js";
import { t } from "./words.js";

/** `text`, which begins at `offset`, with what lies in [start, end) marked. */
function marked(text, offset, start, end) {
  if (start === null || end <= offset || start >= offset + text.length) return [text];
  const from = Math.max(start - offset, 0);
  const to = Math.min(end - offset, text.length);
  return [text.slice(0, from), h("mark", {}, text.slice(from, to)), text.slice(to)].filter((part) => part !== "");
}

const isRow = (line) => /^\s*\|.*\|\s*$/.test(line) || / \| /.test(line);
const isRule = (line) => /^[\s|:-]+$/.test(line) && line.includes("-");

/** The text of a page as blocks: headings, items, tables and paragraphs. */
export function textBlocks(page) {
  // Offsets count code points, as the server's do; strings here count UTF-16 units.
  const points = [...page.text];
  const units = (at) => (at === null ? null : points.slice(0, at).join("").length);
  const [start, end] = [units(page.start), units(page.end)];
  const headings = new Set(page.headings.map(([, , title]) => title));
  const box = h("div", { class: "text" });
  let table = null;
  let fenced = false;
  let offset = 0;
  for (const line of page.text.split("\n")) {
    const put = (text, skip = 0) => marked(text, offset + skip, start, end);
    const bare = line.replace(/^#+\s+/, "");
    if (line.startsWith("```")) {
      fenced = !fenced;
    } else if (fenced) {
      box.append(h("pre", {}, put(line)));
    } else if (isRow(line) && !isRule(line)) {
      table ??= box.appendChild(h("div", { class: "scroll" })).appendChild(h("table"));
      table.append(tableRow(line, offset, start, end));
    } else if (!(table && isRule(line))) {
      table = null;
      if (/^#+\s/.test(line) || (headings.has(line.trim()) && line.trim())) {
        box.append(h(/^#\s/.test(line) ? "h3" : "h4", {}, put(bare, line.length - bare.length)));
      } else if (/^\s*([-*+•]|\d+[.)、])\s/.test(line)) {
        box.append(h("p", { class: "item" }, put(line)));
      } else {
        box.append(h("p", {}, put(line)));
      }
    }
    offset += line.length + 1;
  }
  return box;
}

function tableRow(line, offset, start, end) {
  const row = h("tr");
  let at = offset;
  const cells = line.split("|");
  cells.forEach((cell, i) => {
    const outer = (i === 0 || i === cells.length - 1) && !cell.trim();
    if (!outer) {
      const lead = cell.length - cell.trimStart().length;
      row.append(h("td", {}, marked(cell.trim(), at + lead, start, end)));
    }
    at += cell.length + 1;
  });
  return row;
}

/** The rows of a table around the cited one; a row's text has a line "column: value" for each column. */
export function rowsTable(page) {
  const rows = page.rows.map((row) => [row.row, new Map(fields(row.text))]);
  const columns = [...new Set(rows.flatMap(([, cells]) => [...cells.keys()]))];
  const points = [...page.text];
  const quote = page.start === null ? "" : points.slice(page.start, page.end).join("");
  const cited = new Map(fields(quote));
  return h("div", { class: "scroll" },
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "#"), columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.map(([name, cells]) =>
        h("tr", { class: name === page.part && quote ? "cited" : null },
          h("td", {}, name.replace(/^.*row (\d+)$/, "$1")),
          columns.map((column) => {
            const value = cells.get(column) ?? "";
            const mine = name === page.part && value && (cited.get(column) === value || quote.includes(value));
            return h("td", {}, mine ? h("mark", {}, value) : value);
          }))))));
}

function fields(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const cut = line.indexOf(": ");
    if (cut > 0) found.push([line.slice(0, cut), line.slice(cut + 2)]);
    else if (found.length) found[found.length - 1][1] += `\n${line}`;
    else if (line.trim()) found.push([t("source"), line]);
  }
  return found;
}
