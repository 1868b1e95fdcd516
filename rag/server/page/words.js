// What the page says, in English and Chinese.
import { kept } from "./kept.js";

const WORDS = {
  skip: ["Go to the question", "跳到提问处"],
  panes: ["Panes", "分栏"],
  documents: ["Documents", "文档"],
  conversation: ["Conversation", "对话"],
  source: ["Source", "原文"],
  settings: ["Settings", "设置"],
  index: ["Index", "索引"],
  addFiles: ["Add files", "添加文件"],
  addFolder: ["Add folder", "添加文件夹"],
  files: ["+ Files", "+ 文件"],
  folder: ["+ Folder", "+ 文件夹"],
  filter: ["Find a document", "查找文档"],
  earlier: ["Earlier conversations", "以前的对话"],
  newTalk: ["New", "新对话"],
  export: ["Export", "导出"],
  question: ["Your question", "您的问题"],
  askHint: ["Ask about your documents; @ names one", "就您的文档提问；用 @ 指定文档"],
  askButton: ["Ask", "提问"],
  stop: ["Stop", "停止"],
  close: ["Close", "关闭"],
  pageBack: ["Page before", "上一页"],
  pageOn: ["Next page", "下一页"],
  dropHere: ["Drop files or folders to read them", "松开即可读入文件或文件夹"],
  language: ["Language", "语言"],
  asBrowser: ["As the browser", "跟随浏览器"],
  appearance: ["Appearance", "外观"],
  asSystem: ["As the system", "跟随系统"],
  light: ["Light", "浅色"],
  dark: ["Dark", "深色"],
  writer: ["Answers", "回答方式"],
  writtenBy: ["written by {0}", "由 {0} 撰写"],
  quotesOnly: ["quotations only", "只给原文"],
  strictness: ["Strictness", "严格程度"],
  strictnessNote: ["How sure an answer must be of its passages. Far right, it refuses rather than errs.",
    "回答需要多大把握。越靠右，越是宁可不答也不答错。"],
  key: ["Key of this server", "服务器密钥"],
  keptHere: ["Conversations are kept in this browser alone.", "对话只保存在本浏览器中。"],
  forgetTalks: ["Forget all conversations", "清除所有对话"],
  apiDocs: ["API", "接口说明"],
  done: ["Done", "完成"],
  noDocuments: ["There are no documents yet.", "还没有文档。"],
  howToAdd: ["Drop files or folders anywhere on this page, or use “+ Files”.",
    "把文件或文件夹拖到本页任意位置，或点“+ 文件”。"],
  howToIngest: ["In a terminal: rag ingest FOLDER", "在终端里：rag ingest 文件夹"],
  noMatch: ["No document is called like this.", "没有这样的文档。"],
  welcome: ["What would you like to know?", "您想了解什么？"],
  welcomeNote: ["{0} documents are ready. Every statement of an answer leads to the place where it stands.",
    "已有 {0} 个文档可供提问。回答中的每句话都可以查到出处。"],
  gone: ["file changed or gone", "文件已变化或不存在"],
  forget: ["Forget", "移除"],
  again: ["Read again", "重新读取"],
  sure: ["Take “{0}” out of the index?", "从索引中移除“{0}”吗？"],
  more: ["More about {0}", "{0} 的更多操作"],
  only: ["Ask only {0}", "只问 {0}"],
  notAny: ["Ask all documents again: without {0}", "不再限定 {0}"],
  uploading: ["Sending {0} of {1}", "正在上传 {0} / {1}"],
  jobwaiting: ["Waiting to be read", "等待读取"],
  jobrunning: ["Reading {0} of {1}", "正在读取 {0} / {1}"],
  jobdone: ["Read: {0} new, {1} changed, {2} as before", "已读取：新增 {0}，更新 {1}，未变 {2}"],
  jobfailed: ["Not read: {0}", "读取失败：{0}"],
  jobstopped: ["Stopped", "已停止"],
  skipped: ["skipped", "跳过"],
  failed: ["failed", "失败"],
  hide: ["Hide", "隐藏"],
  searching: ["Searching", "正在检索"],
  queued: ["Waiting: {0} before you", "排队中：前面还有 {0} 个"],
  reading: ["Reading {0} passages", "正在阅读 {0} 个段落"],
  nearest: ["What comes nearest", "最接近的内容"],
  foundPassages: ["Passages found", "找到的段落"],
  asIf: ["Understood as: {0}", "理解为：{0}"],
  copy: ["Copy", "复制"],
  copied: ["Copied with its citations", "已连同出处一起复制"],
  askAgain: ["Ask again", "重新提问"],
  stopped: ["(stopped)", "（已停止）"],
  suggested: ["Nearby in the documents", "文档中的相关内容"],
  whatOf: ["What does it say about “{0}”?", "关于“{0}”，文档怎么说？"],
  citation: ["Citation {0}: {1}", "出处 {0}：{1}"],
  page: ["p. {0}", "第 {0} 页"],
  pageOf: ["Page {0} of {1}", "第 {0} / {1} 页"],
  row: ["row {0}", "第 {0} 行"],
  picture: ["Page {0} of {1}, as it looks", "{1} 第 {0} 页的页面图像"],
  pageText: ["Text of the page", "本页文字"],
  notLocated: ["The passage could not be located on this page: nothing is marked.", "未能在此页定位该段文字，故未标注。"],
  keptText: ["The file is gone or has changed: this is the text as it was read.", "文件已变化或不存在：这是读取时的文字。"],
  answered: ["The answer is there.", "回答已完成。"],
  noServer: ["The server does not answer. Is it still running?", "服务器没有响应，它还在运行吗？"],
  needKey: ["This server needs its key: enter it under Settings.", "此服务器需要密钥：请在“设置”中填写。"],
  citations: ["Citations", "出处"],
};

export const language = () => kept.language || (navigator.language.startsWith("zh") ? "zh" : "en");

/** The words of this name, `{0}`, `{1}` … filled. */
export function t(name, ...values) {
  const words = WORDS[name][language() === "zh" ? 1 : 0];
  return words.replace(/\{(\d)\}/g, (_, n) => String(values[Number(n)]));
}

/** Say everything that stands in the document in the chosen language. */
export function translate() {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = t(element.dataset.placeholder);
}

/** Where a passage stands, as a reader looks it up. */
export function whereIs(place) {
  const parts = [place.title];
  if (place.page !== null) parts.push(t("page", place.page));
  const inner = place.heading.filter((title) => title !== place.title);
  parts.push(...inner.map((title) => title.replace(/row (\d+)$/, (_, n) => t("row", n))));
  return parts.join(" · ");
}
