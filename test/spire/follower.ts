import { setTimeout as pause } from "node:timers/promises";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { Content } from "../../src/domain/content.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { openIdentity, readOrders, say } from "./workload.ts";

/**
 * A workload as it should be: it follows its identity, and calls Coffer all the time, nine Gets after a Put. Says of
 * each call that it failed, and how many there were: after the first, now and then, and at SIGTERM.
 */

/** How many calls are under way at a time. */
const LANES = 4;

const CONTENT = Content.unchecked([{ key: "user", value: Buffer.from("app"), kind: "text" }]);

const { address, serverId, path, pauseMs } = readOrders();
const source = openIdentity();
await whenReady(source);
const client = CofferClient.connect({ address, identity: source, serverId, timeoutMs: 10_000 });
const count = { calls: 0, failed: 0 };

process.once("SIGTERM", () => {
  say("calls", count);
  process.exit(0);
});
await Promise.all(Array.from({ length: LANES }, (_, lane) => callOnAndOn(`${path}-${lane}`)));

async function callOnAndOn(path: string): Promise<never> {
  for (let turn = 0; ; turn++) {
    await call(turn % 10 === 0 ? "Put" : "Get", path);
    await pause(pauseMs);
  }
}

async function call(method: "Put" | "Get", path: string): Promise<void> {
  const begun = Date.now();
  try {
    if (method === "Put") await client.put(path, CONTENT);
    else await client.get(path);
    if (count.calls++ % 50 === 0) say("calls", count);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    count.calls++;
    count.failed++;
    say("failed", { begun, method, code: error.code, reason: error.reason, message: error.message });
  }
}
