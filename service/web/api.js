// The server's REST interface, as far as the page needs it.

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
  const body = await response.json().catch(() => ({}));
  const { message = response.statusText, details } = body.error ?? {};
  throw new Failure(message, details?.index);
}

const json = async (request) => (await answered(request)).json();
const path = (collection) => `/v1/collections/${encodeURIComponent(collection)}`;

export const listCollections = async () => (await json(fetch("/v1/collections"))).collections;

export async function listItems(collection, size, modalities, signal) {
  const query = new URLSearchParams({ page_size: size });
  if (modalities.length) query.set("filter", JSON.stringify({ modality: { $in: modalities } }));
  return (await json(fetch(`${path(collection)}/items?${query}`, { signal }))).items;
}

export const search = (collection, question, signal) =>
  json(fetch(`${path(collection)}/items:search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(question),
    signal,
  }));

export const contentUrl = (collection, id) =>
  `${path(collection)}/items/${encodeURIComponent(id)}/content`;

export const content = (collection, id) => answered(fetch(contentUrl(collection, id)));
