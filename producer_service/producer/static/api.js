// Requests to our own REST API: each returns a value or throws one of two errors.

/** No response, or none in time: whether the server carried the request out is not known. */
export class Unreachable extends Error {
  constructor() {
    super("The shop does not answer.");
  }
}

/**
 * A response other than the one asked for. `message` is a full sentence; `errors` holds one pointer and detail for
 * each field that is wrong (problem+json).
 */
export class ErrorResponse extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The shop answered with status ${status}.`);
    this.status = status;
    this.errors = problem?.errors ?? [];
  }
}

/** Return whether the request may have been carried out in spite of the error; if so, repeat it with the same key. */
export function isOutcomeUnknown(error) {
  return error instanceof Unreachable || error.status >= 500 || error.status === 409;
}

/** Send a request and return the JSON of its response. Throws Unreachable or ErrorResponse. */
export async function request(path, { method = "GET", body, headers = {}, timeoutMs = 15000 } = {}) {
  const options = { method, headers: { ...headers }, signal: AbortSignal.timeout(timeoutMs), cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch {
    throw new Unreachable();
  }
  const result = parseJson(text);
  if (!response.ok || result === null) {
    throw new ErrorResponse(response.status, result);
  }
  return result;
}

/** Parse JSON, or return null: a proxy in between may answer with something else. */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
