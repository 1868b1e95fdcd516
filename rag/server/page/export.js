// A conversation as Markdown, with its citations.
import { h } from "./dom.js";
import { t, whereIs } from "./words.js";

/** One turn: the question, the answer, and each citation with its place and its words. */
export function turnMarkdown(turn) {
  const lines = [`## ${turn.question}`, "", turn.done?.text ?? turn.text, ""];
  for (const citation of turn.done?.citations ?? []) {
    lines.push(`[${citation.n}] ${whereIs(citation)} (${citation.source})`, ...citation.quote.split("\n").map((line) => `> ${line}`), "");
  }
  return lines.join("\n");
}

export function exportTalk(talk) {
  const text = talk.turns.map(turnMarkdown).join("\n");
  const address = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  const name = `${t("conversation")}-${new Date(talk.begun).toISOString().slice(0, 10)}.md`;
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
