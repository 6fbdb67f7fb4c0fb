// The API, drawn from /openapi.json: nothing is written twice, and nothing comes from elsewhere.

const JSON_TYPE = "application/json";
const VERBS = ["get", "post", "put", "patch", "delete"];

const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

/** An example of what a schema describes, with a description where there is no better example. */
function example(schema, schemas, depth = 0) {
  if (!schema || depth > 6) return "…";
  if (schema.$ref) return example(schemas[schema.$ref.split("/").pop()], schemas, depth + 1);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return example(choices.find(({ type }) => type !== "null" && type !== "string") ?? choices[0], schemas, depth + 1);
  return exampleOfType(schema, schemas, depth);
}

function exampleOfType(schema, schemas, depth) {
  switch (schema.type) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties ?? {})
        .map(([name, property]) => [name, example(property, schemas, depth + 1)]));
    case "array":
      return [example(schema.items, schemas, depth + 1)];
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    default:
      return schema.format === "binary" || schema.contentMediaType ? "(a file)" : "text";
  }
}

function block(title, schema, schemas) {
  const text = JSON.stringify(example(schema, schemas), null, 2);
  return [made("h3", { textContent: title }), made("pre", { textContent: text })];
}

function parameters(list) {
  const lines = list.map(({ name, in: place, description = "" }) => `${name} (${place})  ${description}`);
  return [made("h3", { textContent: "Parameters" }), made("pre", { textContent: lines.join("\n") })];
}

function method(path, verb, operation, schemas) {
  const body = made("div", { className: "body" }, made("p", { textContent: operation.description ?? "" }));
  if (operation.parameters) body.append(...parameters(operation.parameters));
  for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
    body.append(...block(`Request, ${type}`, schema, schemas));
  }
  for (const [status, { content = {} }] of Object.entries(operation.responses)) {
    const schema = content[JSON_TYPE]?.schema;
    if (schema && status.startsWith("2")) body.append(...block(`Answer, ${status}`, schema, schemas));
  }
  const summary = made("summary", {}, made("b", { textContent: verb.toUpperCase() }),
    made("code", { textContent: path }), made("span", { className: "quiet", textContent: operation.summary }));
  return made("details", {}, summary, body);
}

function groups({ paths }) {
  const found = new Map();
  for (const [path, operations] of Object.entries(paths)) {
    for (const verb of VERBS.filter((each) => operations[each])) {
      const tag = operations[verb].tags?.[0] ?? "other";
      found.set(tag, [...(found.get(tag) ?? []), [path, verb, operations[verb]]]);
    }
  }
  return found;
}

try {
  const api = await (await fetch("/openapi.json")).json();
  for (const [tag, methods] of groups(api)) {
    document.getElementById("methods").append(made("h2", { textContent: tag }),
      ...methods.map(([path, verb, operation]) => method(path, verb, operation, api.components.schemas)));
  }
} catch {
  const box = document.getElementById("alert");
  box.hidden = false;
  box.textContent = "The server does not answer. Is it still running?";
}
