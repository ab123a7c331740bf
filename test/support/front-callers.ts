import assert from "node:assert/strict";
import type { Caller, LogLine } from "./server-kit.ts";

/** A caller with one connection, and the front that serves it. */
export interface FrontCaller {
  readonly caller: Caller;
  /** The number of its connection, as log lines have it. */
  readonly connection: number;
  /** The number of the front, from 0. */
  readonly front: number;
}

/** A server with several fronts, and its log at level debug. */
export interface ThreadedServer {
  readonly fronts: number;
  /** Makes a caller with a SPIFFE ID, with a connection of its own. */
  readonly connect: (id: string) => Caller;
  /** Resolves to the log once it has a line of each call that was answered. */
  readonly log: () => Promise<readonly LogLine[]>;
}

/**
 * Connects callers one after the other, `each` of them to each front. Fails unless the connections are spread evenly: a
 * front that gets none would make a test of all fronts prove nothing.
 */
export async function connectToFronts(server: ThreadedServer, each: number): Promise<readonly FrontCaller[]> {
  const callers: FrontCaller[] = [];
  for (let n = 0; n < server.fronts * each; n++)
    callers.push(await connect(server, `spiffe://example.org/caller/${n}`));
  for (let front = 0; front < server.fronts; front++) {
    assert.equal(callers.filter((caller) => caller.front === front).length, each, `connections of front ${front}`);
  }
  return callers;
}

async function connect({ fronts, connect, log }: ThreadedServer, id: string): Promise<FrontCaller> {
  const caller = connect(id);
  await caller.get({ path: "none" });
  const line = (await log()).find(({ event, spiffe_id }) => event === "call" && spiffe_id === id);
  const connection = Number(line?.["connection"]);
  return { caller, connection, front: (connection - 1) % fronts };
}
