import assert from "node:assert/strict";
import test from "node:test";
import { unreachable } from "../fakes/network.js";
import { Page } from "../fakes/page.js";

const SCRIPT = new URL("../../../producer_service/producer/static/docs.js", import.meta.url);
const API = { components: { parameters: { OrderId: { example: "made up" } } } };

async function open(...answers) {
  const page = new Page("docs");
  page.server.answer(...answers);
  const shown = [];
  globalThis.MutationObserver = class {
    observe() {}
  };
  globalThis.SwaggerUIBundle = Object.assign((options) => shown.push(options), { presets: { apis: "apis" } });
  await page.run(SCRIPT);
  return { page, shown };
}

test("the document is shown with an order that can be confirmed as its example", async () => {
  const { page, shown } = await open({ json: structuredClone(API) }, { json: { orders: [{ id: "real" }] } });
  assert.deepEqual(
    page.server.requests.map(({ url }) => url),
    ["/openapi.json", "/orders?limit=1&status=placed"],
  );
  assert.equal(shown[0].spec.components.parameters.OrderId.example, "real");
  assert.equal(shown[0].domNode, page.$("docs"));
});

for (const [name, answer] of [
  ["without orders", { json: { orders: [] } }],
  ["without the database", { status: 503, json: { detail: "Away." } }],
]) {
  test(`the document can be read ${name}`, async () => {
    const { shown } = await open({ json: structuredClone(API) }, answer);
    assert.equal(shown[0].spec.components.parameters.OrderId.example, "made up");
  });
}

test("without a document, the page says what to do", async () => {
  const { page, shown } = await open(unreachable);
  assert.deepEqual(shown, []);
  assert.equal(page.text("docs"), "Load the page again. The document cannot be shown: The shop does not answer.");
});

test("the page is dark where its reader's system is", async () => {
  const { page } = await open(unreachable);
  assert.ok(page.document.documentElement.classList.contains("dark-mode")); // the fake media query matches
});
