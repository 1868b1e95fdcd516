// The left pane: the documents as a tree, what is being read, and how files come in.
import { forget, get, post, stopJob, upload } from "./api.js";
import { $, clear, h, say } from "./dom.js";
import { desk, refresh, show } from "./main.js";
import { openPlace } from "./source.js";
import { t } from "./words.js";

const BEAT = 600; // milliseconds between two looks at a job
const hidden = new Set(); // jobs that were put away
let sending = null; // what is being uploaded: [sent, all, error]
let jobs = [];
let looking = 0;

function tree() {
  const wanted = $("filter").value.trim().toLowerCase();
  const shown = desk.sources.filter((source) => source.source.toLowerCase().includes(wanted));
  if (!desk.sources.length) {
    return [h("div", { class: "empty" }, h("p", {}, t("noDocuments")), h("p", {}, t("howToAdd")), h("p", {}, t("howToIngest")))];
  }
  if (!shown.length) return [h("p", { class: "empty" }, t("noMatch"))];
  const folders = new Map();
  for (const source of shown) {
    const cut = source.source.lastIndexOf("/");
    const folder = source.source.slice(0, Math.max(cut, 0));
    folders.set(folder, [...(folders.get(folder) ?? []), source]);
  }
  return [...folders].map(([folder, files]) =>
    h("details", { open: true }, h("summary", {}, folder || "/"), h("ul", {}, files.map(row))),
  );
}

function row(source) {
  const name = source.source.slice(source.source.lastIndexOf("/") + 1);
  const tick = h("input", {
    type: "checkbox",
    "aria-label": t("only", name),
    onchange: (event) => {
      if (event.target.checked) desk.ticked.add(source.source);
      else desk.ticked.delete(source.source);
      desk.tell("ticked");
    },
  });
  tick.checked = desk.ticked.has(source.source);
  tick.dataset.source = source.source;
  const current = new URLSearchParams(location.hash.slice(1)).get("source") === source.source;
  const open = h(
    "button",
    { type: "button", class: "open", "aria-current": String(current), onclick: () => openPlace({ source: source.source }) },
    name,
    source.readable ? null : h("span", { class: "gone" }, ` · ${t("gone")}`),
  );
  return h("li", {}, tick, open, h("button", { type: "button", class: "quiet more", "aria-label": t("more", name), onclick: () => menu(source) }, "⋯"));
}

function menu(source) {
  const box = h("dialog", { "aria-label": source.source });
  const button = (words, work) =>
    h("button", { type: "button", onclick: () => { box.close(); work().catch((error) => say(error.message)); } }, words);
  const read = () => start({ sources: [source.source] });
  const drop = async () => {
    await forget(source.source, desk.index());
    await refresh();
  };
  box.append(
    h("div", { class: "settings" },
      h("h2", {}, source.source),
      h("p", { class: "note" }, t("sure", source.source.slice(source.source.lastIndexOf("/") + 1))),
      h("div", { class: "row" },
        button(t("forget"), drop),
        source.again ? button(t("again"), read) : null,
        h("span", { class: "spring" }),
        h("button", { type: "button", onclick: () => box.close() }, t("close")))),
  );
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

function drawTree() {
  clear($("tree"), tree());
}

function drawJobs() {
  const cards = jobs.filter((job) => !hidden.has(job.id)).slice(0, 4).map(card);
  if (sending) {
    const [sent, all, error] = sending;
    cards.unshift(h("div", { class: "job" },
      h("p", {}, error || t("uploading", sent, all)),
      error ? null : h("progress", { max: all, value: sent, "aria-label": t("uploading", sent, all) })));
  }
  clear($("jobs"), cards);
}

function card(job) {
  const open = job.state === "waiting" || job.state === "running";
  const line = {
    waiting: () => t("jobwaiting"),
    running: () => t("jobrunning", job.done, job.files),
    done: () => t("jobdone", job.report.added, job.report.updated, job.report.unchanged),
    failed: () => t("jobfailed", job.error),
    stopped: () => t("jobstopped"),
  }[job.state]();
  return h("div", { class: "job", "data-state": job.state },
    h("div", { class: "job-line" }, h("span", {}, line), h("span", { class: "spring" }),
      open
        ? h("button", { type: "button", class: "quiet", onclick: () => stopJob(job.id).then(look) }, t("stop"))
        : h("button", { type: "button", class: "quiet", onclick: () => { hidden.add(job.id); drawJobs(); } }, t("hide"))),
    job.state === "running" ? h("progress", { max: 1, value: job.share, "aria-label": line }) : null,
    job.problems.length
      ? h("ul", {}, job.problems.map((file) => h("li", {}, `${t(file.state)}: ${file.name} (${file.reason})`)))
      : null);
}

async function look() {
  clearTimeout(looking);
  const before = new Set(jobs.filter((job) => job.state === "running" || job.state === "waiting").map((job) => job.id));
  jobs = (await get("/api/jobs")).jobs.filter((job) => job.index === desk.index());
  drawJobs();
  const ended = jobs.filter((job) => before.has(job.id) && job.state !== "running" && job.state !== "waiting");
  if (ended.length) {
    await refresh();
    say($("jobs").textContent);
  }
  if (jobs.some((job) => job.state === "running" || job.state === "waiting")) looking = setTimeout(look, BEAT);
}

async function start(what) {
  const job = await (await post("/api/ingest", { ...what, index: desk.index() })).json();
  jobs.unshift(job);
  await look();
}

/** Send files one after the other, then have them read together. Each is [name, file]. */
async function take(files) {
  const suffixes = desk.status?.suffixes ?? [];
  const readable = files.filter(([name]) => suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)) && !/(^|\/)\./.test(name));
  const names = [];
  let problem = files.length > readable.length ? files.filter((each) => !readable.includes(each)).map(([name]) => `${t("skipped")}: ${name}`).slice(0, 5).join("\n") : "";
  show("library");
  for (const [name, file] of readable) {
    sending = [names.length, readable.length, ""];
    drawJobs();
    try {
      await upload(name, file, desk.index());
      names.push(name);
    } catch (error) {
      problem = `${name}: ${error.message}`;
    }
  }
  sending = problem ? [0, 1, problem] : null;
  drawJobs();
  if (names.length) await start({ uploads: names });
}

/** The files in what was dropped, folders walked. */
async function dropped(items) {
  const found = [];
  const walk = async (entry, base) => {
    if (entry.isFile) {
      found.push([base + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        for (const inner of some) await walk(inner, `${base}${entry.name}/`);
      }
    }
  };
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  for (const entry of entries) await walk(entry, "");
  return found;
}

function listenForDrops() {
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => { if (isFiles(event)) { depth += 1; $("drop").hidden = false; } });
  addEventListener("dragleave", () => { depth = Math.max(depth - 1, 0); $("drop").hidden = !depth; });
  addEventListener("dragover", (event) => { if (isFiles(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth = 0;
    $("drop").hidden = true;
    await take(await dropped(event.dataTransfer.items));
  });
}

export function startLibrary() {
  $("filter").addEventListener("input", drawTree);
  for (const [button, input] of [["add-files", "pick-files"], ["add-folder", "pick-folder"]]) {
    $(button).addEventListener("click", () => $(input).click());
    $(input).addEventListener("change", async (event) => {
      const files = [...event.target.files].map((file) => [file.webkitRelativePath || file.name, file]);
      event.target.value = "";
      await take(files);
    });
  }
  listenForDrops();
  desk.on("sources", drawTree);
  desk.on("words", () => { drawTree(); drawJobs(); });
  desk.on("ticked", () => {
    for (const tick of $("tree").querySelectorAll("input")) tick.checked = desk.ticked.has(tick.dataset.source);
  });
  desk.on("status", () => { if (desk.status.jobs) look(); });
  addEventListener("hashchange", drawTree);
}
