// The server's REST interface, as far as the page needs it.

import { call, shows } from "./door.js";

/** A failure in words for people: the server's own, with the place of the item it is about. */
export class Failure extends Error {
  constructor(message, index) {
    super(message);
    this.index = index;
  }
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  if (response.status === 401) throw new Failure("The server asks for a key. Load this page again to show one.");
  const body = await response.json().catch(() => ({}));
  const { message = response.statusText, details } = body.error ?? {};
  throw new Failure(message, details?.index);
}

const json = async (request) => (await answered(request)).json();
const path = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;

export const listCollections = async () => (await json(call("/v1/collections"))).collections;

export async function listItems(collection, size, modalities, after, signal) {
  const query = new URLSearchParams({ page_size: size, page_token: after ?? "" });
  if (modalities.length) query.set("filter", JSON.stringify({ modality: { $in: modalities } }));
  return json(call(`${path(collection)}/items?${query}`, { signal }));
}

export const search = (collection, question, signal) =>
  json(call(`${path(collection)}/items:search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(question),
    signal,
  }));

const contentUrl = (collection, id) => `${path(collection)}/items/${encodeURIComponent(id)}/content`;

export const content = (collection, id) => answered(call(contentUrl(collection, id)));

/** What an element can have as its `src`; where a key has to be shown, a copy in the page. */
export async function mediaUrl(collection, id) {
  if (!shows()) return contentUrl(collection, id);
  return URL.createObjectURL(await (await content(collection, id)).blob());
}
