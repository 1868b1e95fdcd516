// What is kept in this browser, and nowhere else: settings and conversations.

const NAME = "ragstone";
const DEFAULTS = { language: "", theme: "", quote: false, strictness: null, key: "", index: "", talks: [] };
const MOST_TALKS = 30;

function read() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(NAME) || "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export const kept = read();

export function keep(changes = {}) {
  Object.assign(kept, changes);
  kept.talks = kept.talks.filter((talk) => talk.turns.length).slice(-MOST_TALKS);
  try {
    localStorage.setItem(NAME, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing, or is full: the page works all the same.
  }
}
