import assert from "node:assert/strict";
import test from "node:test";
import {
  ErrorResponse,
  isOutcomeUnknown,
  request,
  Unreachable,
} from "../../../producer_service/producer/static/api.js";
import { unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

function answered(...answers) {
  const page = new Page("checkout");
  page.server.answer(...answers);
  return page;
}

test("a request returns the JSON of its response", async () => {
  const page = answered({ status: 201, json: { id: "1" } });
  assert.deepEqual(await request("/orders?limit=1"), { id: "1" });
  const { url, method, headers, body, options } = page.server.last;
  assert.deepEqual([url, method, headers, body], ["/orders?limit=1", "GET", {}, undefined]);
  assert.equal(options.cache, "no-store");
});

test("a body is sent as JSON, beside the headers of the caller", async () => {
  const page = answered({ json: {} });
  await request("/orders", { method: "POST", body: { count: 0 }, headers: { "Idempotency-Key": "k" } });
  assert.deepEqual(page.server.last.body, { count: 0 });
  assert.equal(page.server.last.method, "POST");
  assert.deepEqual(page.server.last.headers, { "Idempotency-Key": "k", "Content-Type": "application/json" });
});

test("a request ends after its time", async () => {
  answered(({ options }) => {
    assert.ok(options.signal instanceof AbortSignal);
    return { json: {} };
  });
  const timeout = AbortSignal.timeout;
  const times = [];
  AbortSignal.timeout = (ms) => times.push(ms) && timeout(ms);
  await request("/orders");
  await request("/orders", { timeoutMs: 5_000 });
  AbortSignal.timeout = timeout;
  assert.deepEqual(times, [15_000, 5_000]);
});

test("no response is an error of its own", async () => {
  answered(unreachable);
  await assert.rejects(request("/orders"), (error) => {
    assert.ok(error instanceof Unreachable);
    assert.equal(error.message, "The shop does not answer.");
    return true;
  });
});

test("an error has the server's words and the fields that are wrong", async () => {
  const errors = [{ pointer: "/item", detail: "is empty" }];
  answered({ status: 422, json: { detail: "The order is not valid.", errors } });
  await assert.rejects(request("/orders"), (error) => {
    assert.ok(error instanceof ErrorResponse);
    assert.deepEqual([error.status, error.message, error.errors], [422, "The order is not valid.", errors]);
    return true;
  });
});

for (const [name, answer] of [
  ["an error without a document", { status: 502, text: "<html>Bad Gateway</html>" }],
  ["an error without a detail", { status: 502, json: {} }],
]) {
  test(`${name} has words too`, async () => {
    answered(answer);
    await assert.rejects(request("/orders"), {
      status: 502,
      message: "The shop answered with status 502.",
      errors: [],
    });
  });
}

test("what is not JSON is no result, whatever its status", async () => {
  answered({ status: 200, text: "<html>Log in to the network</html>" });
  await assert.rejects(request("/orders"), { status: 200 });
});

const outcome = (status) => isOutcomeUnknown(new ErrorResponse(status, null));

test("only an answer that decides the request makes its outcome known", () => {
  assert.equal(isOutcomeUnknown(new Unreachable()), true);
  assert.deepEqual([500, 502, 503, 504, 599].map(outcome), [true, true, true, true, true]);
  assert.equal(outcome(409), true); // another request with the same key is under way
  assert.deepEqual([400, 403, 404, 412, 413, 415, 422, 429].map(outcome), Array(8).fill(false));
});
