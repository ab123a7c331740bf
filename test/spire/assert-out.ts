import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { LogLine } from "../support/server-kit.ts";
import type { WorkloadProcess } from "./machine.ts";
import { until } from "../support/until.ts";

/** How long somebody may still be in when its time is over, in milliseconds. */
const OUT_MS = 1000;

/**
 * Waits until a holdout is out: the connection that it held is closed, and it gets no new one. Fails unless that was so
 * within a second of `moment`, in milliseconds since the epoch. Answers when it last began to come in.
 */
export async function assertOut(t: TestContext, holdout: WorkloadProcess, moment: number): Promise<number> {
  const closed = await until("the connection that was held is closed", () => holdout.said("closed")[0]);
  const refused = await until("a new one is refused", () => holdout.said("out")[0]);
  const lastIn = holdout.said("in").at(-1)!;
  for (const [what, { time }] of Object.entries({ "last in": lastIn, closed, refused })) {
    t.diagnostic(`${what} ${time - moment} ms after the moment`);
    assert.ok(time <= moment + OUT_MS, what);
  }
  assert.ok(lastIn.time < refused.time, "it came in again");
  // It is the server that refuses, and not the client that gives up.
  const isRefused = ({ message }: LogLine) => /closed the connection right after the handshake/.test(String(message));
  await until("the server refuses a handshake", () => holdout.said("out").some(isRefused));
  return Number(lastIn["begun"]);
}
