// The read API. Errors say which status the server answered with.

/** The server answered, but not with what was asked for. `status` 401: signed out. */
export class AnswerError extends Error {
  constructor(status, url) {
    super(`${url}: ${status}`);
    this.status = status;
  }
}

const tags = new Map(); // url -> {tag, body}: what has not changed is not sent again

/** Return the JSON behind `url`. Throws AnswerError, or TypeError when nobody answers. */
export async function getJson(url, { signal } = {}) {
  const kept = tags.get(url);
  const headers = { Accept: "application/json", ...(kept && { "If-None-Match": kept.tag }) };
  const response = await fetch(url, { headers, signal, cache: "no-store" });
  if (response.status === 304 && kept) return kept.body;
  if (!response.ok) throw new AnswerError(response.status, url);
  const body = await response.json();
  const tag = response.headers.get("ETag");
  if (tag) tags.set(url, { tag, body });
  return body;
}

/** Send JSON and return the JSON that comes back. Throws as getJson does. */
export async function postJson(url, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new AnswerError(response.status, url);
  return response.json();
}

/** Return the session id that this page is about: /s/{id} or /s/{id}/report. */
export function sessionId() {
  return decodeURIComponent(location.pathname.split("/")[2] ?? "");
}

/** Return the address of a session's page or, with `base` "/v1/sessions", of its data. */
export function sessionUrl(id, rest = "", base = "/s") {
  return `${base}/${encodeURIComponent(id)}${rest}`;
}
