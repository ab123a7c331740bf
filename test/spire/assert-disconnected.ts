import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { LogLine } from "../support/server-kit.ts";
import type { WorkloadProcess } from "./machine.ts";
import { until } from "../support/until.ts";

/** How long a workload may stay connected after `moment`, in milliseconds. */
const DISCONNECTED_MS = 1000;

/**
 * Waits until a workload that keeps its first SVID is disconnected: its open connection is closed, and a new one is
 * refused. Fails unless both happened within a second of `moment`, in milliseconds since the epoch. Returns the
 * time at which it last started an accepted connection.
 */
export async function assertDisconnected(t: TestContext, keeper: WorkloadProcess, moment: number): Promise<number> {
  const closed = await until("its open connection is closed", () => keeper.reports("closed")[0]);
  const refused = await until("a new one is refused", () => keeper.reports("refused")[0]);
  const lastAccepted = keeper.reports("accepted").at(-1)!;
  for (const [what, { time }] of Object.entries({ "last accepted": lastAccepted, closed, refused })) {
    t.diagnostic(`${what} ${time - moment} ms after the moment`);
    assert.ok(time <= moment + DISCONNECTED_MS, what);
  }
  assert.ok(lastAccepted.time < refused.time, "it was accepted again");
  // The server must refuse the connection. A client that gave up by itself would report another message.
  const isRefused = ({ message }: LogLine) => /closed the connection right after the handshake/.test(String(message));
  await until("the server refuses a handshake", () => keeper.reports("refused").some(isRefused));
  return Number(lastAccepted["startedAt"]);
}
