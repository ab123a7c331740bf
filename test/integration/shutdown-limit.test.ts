import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, it } from "node:test";
import { beginCall } from "../../bench/access.ts";
import { sessionOf } from "../support/bare-call.ts";
import { PushedTimers } from "../support/pushed-timers.ts";
import { API, ServerKit } from "../support/server-kit.ts";

/** How long calls in progress get at the shutdown, in milliseconds. In these tests it ends when the time is advanced. */
const DRAIN_MS = 10_000;

let timers: PushedTimers;
let kit: ServerKit;
beforeEach(async () => {
  timers = new PushedTimers(DRAIN_MS, false);
  kit = await ServerKit.start({}, timers);
});
afterEach(() => kit.stop());

const interruptions = () =>
  kit.log.filter(({ event }) => event === "connections interrupted").map(({ count }) => count);

// Otherwise an operator does not learn that a restart has interrupted calls.
it("a shutdown logs the number of connections whose calls did not end in time", async () => {
  const sessions = [await sessionOf(kit, API), await sessionOf(kit, API), await sessionOf(kit, API)];
  for (const session of sessions) session.on("error", () => {});
  const streams = sessions.slice(1).map((session) => beginCall(session, "/coffer.v1.Secrets/Put"));
  for (const stream of streams) stream.on("error", () => {});
  for (const session of sessions) await new Promise((resolve) => session.ping(resolve));
  const stopped = kit.server.stop();
  // The connection without a call closes by itself.
  await new Promise((resolve) => sessions[0]?.once("close", resolve));
  await turn();
  timers.push(DRAIN_MS);
  await stopped;
  assert.deepEqual(interruptions(), [2]);
});

it("(control) a shutdown whose calls end in time logs nothing about them", async () => {
  await sessionOf(kit, API);
  await kit.server.stop();
  assert.deepEqual(interruptions(), []);
});
