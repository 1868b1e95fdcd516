// The server's API.
import { kept } from "./kept.js";
import { t } from "./words.js";

function headers(more = {}) {
  return kept.key ? { ...more, authorization: `Bearer ${kept.key}` } : more;
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers(options.headers) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(t("noServer"));
  }
  if (response.ok) return response;
  if (response.status === 401) throw new Error(t("needKey"));
  const told = await response.json().catch(() => null);
  throw new Error(told?.error?.message ?? `${response.status}`);
}

const json = { "content-type": "application/json" };
const encoded = (source) => source.split("/").map(encodeURIComponent).join("/");
const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const get = async (path, values = {}) => (await request(`${path}?${query(values)}`)).json();

export const post = async (path, body, options = {}) =>
  request(path, { method: "POST", headers: json, body: JSON.stringify(body), ...options });

export const forget = (source, index) =>
  request(`/api/sources/${encoded(source)}?${query({ index })}`, { method: "DELETE" });

export const upload = (name, file, index) =>
  request(`/api/uploads/${encoded(name)}?${query({ index })}`, { method: "PUT", body: file });

export const stopJob = (id) => request(`/api/jobs/${id}`, { method: "DELETE" });

export const pageText = (place) => {
  const { source, index, page, part, start, end } = place;
  return get(`/api/document/${encoded(source)}/text`, { index, page, part, start, end });
};

/** The address of a picture that this page alone can read. */
export async function pagePicture(source, page, index, width) {
  const response = await request(`/api/document/${encoded(source)}/page/${page}.png?${query({ index, width })}`);
  return URL.createObjectURL(await response.blob());
}

/** Events of `/api/ask`, as [name, data]. */
export async function* ask(body, signal) {
  const response = await post("/api/ask", body, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [name, data] = block.split("\n");
      if (data?.startsWith("data: ")) yield [name.slice(7), JSON.parse(data.slice(6))];
    }
  }
}
