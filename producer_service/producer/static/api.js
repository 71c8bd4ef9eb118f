// One request to our own REST API; every way it can end is a value or one of two errors.

/** No answer, or none in time: whether the server did it is not known. */
export class Unreachable extends Error {
  constructor() {
    super("The shop does not answer.");
  }
}

/** The server answered, and not with what was asked for; `errors` name the fields (problem+json). */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The shop answered ${status}.`);
    this.status = status;
    this.errors = problem?.errors ?? [];
  }
}

/** Whether the request may have been carried out all the same; then it is tried again with the same key. */
export function isUndecided(error) {
  return error instanceof Unreachable || error.status >= 500 || error.status === 409;
}

export async function ask(path, { method = "GET", body, headers = {}, within = 15000 } = {}) {
  const options = { method, headers: { ...headers }, signal: AbortSignal.timeout(within), cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer, text;
  try {
    answer = await fetch(path, options);
    text = await answer.text();
  } catch {
    throw new Unreachable();
  }
  const result = parsed(text);
  if (!answer.ok || result === null) {
    throw new Refused(answer.status, result);
  }
  return result;
}

/** What a proxy in between says need not be JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
