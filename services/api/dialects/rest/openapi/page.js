"use strict";
// The whole page: reads the description, lists its operations, sends what is filled in. Text goes in as text only.

const root = location.pathname.replace(/\/api\/docs\/?$/, "");
const at = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

function resolved(whole, part) {
  if (!part || !part.$ref) return part || {};
  return part.$ref.split("/").slice(1).reduce((found, name) => found[name], whole);
}

// A schema in a few lines: fields with their types, optional ones with a question mark.
function shape(whole, schema, indent = "") {
  const found = resolved(whole, schema);
  if (found.anyOf) return found.anyOf.map((one) => shape(whole, one, indent)).join(" | ");
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (found.type === "array") return `[${shape(whole, found.items, indent)}]`;
  if (found.properties) {
    const required = new Set(found.required || []);
    const fields = Object.entries(found.properties).map(([name, field]) =>
      `${indent}  ${name}${required.has(name) ? "" : "?"}: ${shape(whole, field, indent + "  ")}`);
    return `{\n${fields.join("\n")}\n${indent}}`;
  }
  const bounds = ["minimum", "maximum", "minLength", "maxLength", "pattern"].filter((name) => name in found);
  const told = bounds.map((name) => `${name} ${found[name]}`).join(", ");
  return (found.type || "anything") + (told ? ` (${told})` : "");
}

// A body to begin with: the example, else the required fields, empty.
function draft(whole, content) {
  const [example] = Object.values(content.examples || {});
  if (example) return example.value;
  const schema = resolved(whole, content.schema);
  const empty = { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} };
  const fields = (schema.required || []).map((name) => [name, empty[resolved(whole, schema.properties[name]).type] ?? null]);
  return Object.fromEntries(fields);
}

function field(whole, parameter) {
  const schema = resolved(whole, parameter.schema);
  const choices = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  const input = choices
    ? make("select", {}, make("option", { value: "" }, ""), ...choices.map((choice) => make("option", {}, String(choice))))
    : make("input", { placeholder: parameter.example ?? "" });
  return { parameter, input };
}

async function send(operation, fields, body, out) {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of fields) {
    const value = input.value;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (parameter.in === "query") query.append(parameter.name, value);
    else headers[parameter.name] = value;
  }
  if (at("token").value) headers.Authorization = `Bearer ${at("token").value}`;
  if (body) headers["Content-Type"] = "application/json";
  const url = root + path + (query.size ? `?${query}` : "");
  out.replaceChildren("Sent…");
  try {
    const answer = await fetch(url, { method: operation.method.toUpperCase(), headers, body: body && body.value });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
    const head = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    out.replaceChildren(
      make("p", { class: answer.ok ? "" : "bad" }, `${answer.status} ${answer.statusText} · ${operation.method.toUpperCase()} ${url}`),
      make("pre", {}, shown || "(no body)"), make("details", {}, make("summary", {}, "headers"), make("pre", {}, head)));
  } catch (error) {
    out.replaceChildren(make("p", { class: "bad" }, `No answer: ${error.message}`));
  }
}

function request(whole, operation) {
  const fields = (operation.parameters || []).map((parameter) => field(whole, parameter));
  const parts = [];
  if (fields.length) {
    const rows = fields.map(({ parameter, input }) => make("tr", {},
      make("td", {}, make("code", {}, parameter.name), ` ${parameter.in}${parameter.required ? ", required" : ""}`),
      make("td", {}, input),
      make("td", { class: "aside" }, [parameter.description, shape(whole, parameter.schema)].filter(Boolean).join(" · "))));
    parts.push(make("h3", {}, "Parameters"), make("table", {}, ...rows));
  }
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  let body;
  if (content) {
    body = make("textarea", { rows: "8", spellcheck: "false" });
    body.value = JSON.stringify(draft(whole, content), null, 2);
    parts.push(make("h3", {}, "Body"), body,
      make("details", {}, make("summary", {}, "schema"), make("pre", {}, shape(whole, content.schema))));
  }
  const out = make("div", {});
  const button = make("button", { type: "button" }, "Send");
  button.addEventListener("click", () => send(operation, fields, body, out));
  return [...parts, make("p", {}, button), out];
}

function answers(whole, operation) {
  const rows = Object.entries(operation.responses).map(([status, part]) => {
    const answer = resolved(whole, part);
    const bodies = Object.entries(answer.content || {}).map(([media, content]) =>
      make("details", {}, make("summary", {}, media), make("pre", {}, shape(whole, content.schema))));
    const headers = Object.keys(answer.headers || {}).join(", ");
    return make("tr", {}, make("td", {}, make("code", {}, status)),
      make("td", {}, answer.description, ...bodies, make("div", { class: "aside" }, headers)));
  });
  return [make("h3", {}, "Answers"), make("table", {}, ...rows)];
}

function shown(whole, operation) {
  const inside = make("div", {});
  const element = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: "method" }, operation.method),
      make("span", { class: "path" }, operation.path), make("span", { class: "what" }, operation.summary)), inside);
  element.addEventListener("toggle", () => {
    if (inside.childElementCount) return;
    if (operation.description) inside.append(make("p", {}, operation.description));
    if (operation.security && !operation.security.length) inside.append(make("p", { class: "aside" }, "Needs no token."));
    inside.append(...request(whole, operation), ...answers(whole, operation));
  });
  element.dataset.words = `${operation.method} ${operation.path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  return element;
}

function show(whole) {
  at("version").textContent = whole.info.version;
  const operations = Object.entries(whole.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method })));
  const groups = whole.tags.map((tag) => make("section", {},
    make("h2", {}, make("small", {}, tag.description || tag.name)),
    ...operations.filter((operation) => operation.tags.includes(tag.name)).map((operation) => shown(whole, operation))));
  at("all").replaceChildren(make("p", { class: "aside" }, whole.info.description), ...groups);
  at("find").addEventListener("input", () => {
    const words = at("find").value.toLowerCase().split(/\s+/);
    for (const element of document.querySelectorAll(".operation"))
      element.hidden = !words.every((word) => element.dataset.words.includes(word));
    for (const section of document.querySelectorAll("section"))
      section.hidden = !section.querySelector(".operation:not([hidden])");
  });
  const named = location.hash && at(location.hash.slice(1));
  if (named) { named.open = true; named.scrollIntoView(); }
}

fetch(`${root}/api/schema/?format=json`)
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => at("all").replaceChildren(make("p", { class: "bad" }, `The description cannot be read: ${error.message}`)));
