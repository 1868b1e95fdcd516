// The description of the API, from /openapi.json: nothing comes from elsewhere.
import { $, h } from "./dom.js";

const described = await (await fetch("/openapi.json")).json();
const nameOf = (schema) => schema.$ref?.split("/").pop();
const resolve = (schema) => (schema.$ref ? described.components.schemas[nameOf(schema)] : schema);

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items ?? {})}[]`;
  return schema.const !== undefined ? JSON.stringify(schema.const) : schema.enum ? schema.enum.map((each) => JSON.stringify(each)).join(" | ") : schema.type ?? "any";
}

function table(rows) {
  return h("div", { class: "scroll" }, h("table", {}, rows.map(([name, type, about]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, type), h("td", {}, about ?? "")))));
}

function fields(schema) {
  const whole = resolve(schema);
  const needed = new Set(whole.required ?? []);
  const rows = Object.entries(whole.properties ?? {});
  return rows.length ? table(rows.map(([name, each]) => [needed.has(name) ? name : `${name}?`, typeOf(each), each.description])) : h("p", {}, typeOf(schema));
}

function route(path, method, work) {
  const parts = [h("summary", {}, h("b", {}, method.toUpperCase()), path), h("p", {}, work.description ?? work.summary)];
  if (work.parameters?.length) parts.push(h("h3", {}, "Parameters"), table(work.parameters.map((each) => [each.required ? each.name : `${each.name}?`, typeOf(each.schema), each.description ?? each.schema.description])));
  for (const [kind, body] of Object.entries(work.requestBody?.content ?? {})) parts.push(h("h3", {}, `Body: ${kind}`), fields(body.schema));
  for (const [status, reply] of Object.entries(work.responses)) {
    if (!status.startsWith("2")) continue;
    for (const [kind, body] of Object.entries(reply.content ?? {})) parts.push(h("h3", {}, `${status}: ${kind}`), body.schema ? fields(body.schema) : "");
  }
  return h("details", {}, parts);
}

const groups = new Map();
for (const [path, methods] of Object.entries(described.paths)) {
  for (const [method, work] of Object.entries(methods)) {
    const tag = work.tags?.[0] ?? "";
    groups.set(tag, [...(groups.get(tag) ?? []), route(path, method, work)]);
  }
}
for (const [tag, routes] of groups) $("reference").append(h("h2", {}, tag), ...routes);
$("reference").append(h("h2", {}, "Objects"), ...Object.entries(described.components.schemas).map(([name, schema]) =>
  h("details", {}, h("summary", {}, name), schema.description ? h("p", {}, schema.description) : "", fields(schema))));
