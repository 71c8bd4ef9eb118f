// What tabs tell each other about their one connection.
//
// The tab that holds it sends, after each block that ends a flush and whenever its state changes,
//   {holder, since, log, number, before, position, blocks, state, data}
// holder, since: which tab it is and since when, in milliseconds. log: a name for all that comes after the last gap, as
// offsets of before may mean something else. number: of the message, counted from 0; an answer repeats the last one.
// blocks: [type, data as text], all that the stream brought between the positions
// `before` and `position`. state, data: see Stream.
// Any other tab may send {question: true}, and the holder answers.
//
// Figures belong to no position. A tab that shows them sends {wish: "stats"}, and the holder {stats: text}.

import { isPosition } from "./position.js";

/** The name of the lock and of the channel. Count up when messages change: a tab from before an upgrade stays apart. */
export const NAME = "order-stream-2";

export const QUESTION = { question: true };

export const WISH = { wish: "stats" };

export function isWish(message) {
  return message?.wish === "stats";
}

export function isStats(message) {
  return typeof message?.stats === "string";
}

export function isQuestion(message) {
  return message?.question === true;
}

/** Return whether a message is a holder's, whole and well-formed. */
export function isFromHolder(message) {
  return (
    typeof message?.holder === "string" &&
    Number.isFinite(message.since) &&
    typeof message.log === "string" &&
    Number.isInteger(message.number) &&
    isPosition(message.before) &&
    isPosition(message.position) &&
    Array.isArray(message.blocks) &&
    message.blocks.every(isBlock) &&
    typeof message.state === "string" &&
    typeof message.data === "object" &&
    message.data !== null
  );
}

/** Return whether the holder is connected, as far as it knows. */
export function isConnected({ state }) {
  return ["live", "stale"].includes(state);
}

export function isGap([type]) {
  return type === "gap";
}

function isBlock(block) {
  return Array.isArray(block) && ["message", "gap"].includes(block[0]) && typeof block[1] === "string";
}
