import assert from "node:assert/strict";
import test from "node:test";
import { withTexts } from "../../../consumer_service/consumer/static/events.js";
import { eventUrl, orderUrl } from "../../../consumer_service/consumer/static/kafka_ui.js";

const MESSAGES = "http://localhost:8080/topics/orders/messages";

test("an event's link names the event, for both Kafka UIs", () => {
  const url = new URL(eventUrl(MESSAGES, { id: "event 1&x", subject: "order/1" }));
  assert.equal(url.origin + url.pathname, MESSAGES);
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    mode: "LATEST",
    limit: "100",
    stringFilter: "event 1&x",
    key: "order/1",
    event: "event 1&x",
  });
});

test("an order's link leads to all of its messages, the earliest first", () => {
  const url = new URL(orderUrl(MESSAGES, "order/1"));
  assert.equal(url.origin + url.pathname, MESSAGES);
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    mode: "EARLIEST",
    limit: "100",
    stringFilter: "order/1",
    key: "order/1",
  });
});

test("what is no text becomes one, and everything else stays", () => {
  const trap = { toString: 1 };
  const event = { id: "1", time: trap, data: { item: trap, quantity: [1], version: 2, status: null } };
  const texts = withTexts(event);
  assert.deepEqual(texts, {
    id: "1",
    time: '{"toString":1}',
    data: { item: '{"toString":1}', quantity: "[1]", version: 2, status: null },
  });
});
