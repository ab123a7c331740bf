import { setTimeout as pause } from "node:timers/promises";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { Content } from "../../src/domain/content.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { openIdentity, readJob, report } from "./workload.ts";

/**
 * A workload that behaves as it should: it follows its identity and calls Coffer continuously, with nine Gets after
 * each Put. It reports each failed call, and the number of calls: after the first one, at intervals, and at SIGTERM.
 */

/** The number of concurrent calls. */
const CONCURRENT = 4;

const CONTENT = Content.unchecked([{ key: "user", value: Buffer.from("app"), kind: "text" }]);

const { address, serverId, path, pauseMs } = readJob();
const source = openIdentity();
await whenReady(source);
const client = CofferClient.connect({ address, identity: source, serverId, timeoutMs: 10_000 });
const count = { calls: 0, failed: 0 };

process.once("SIGTERM", () => {
  report("calls", count);
  process.exit(0);
});
await Promise.all(Array.from({ length: CONCURRENT }, (_, n) => callContinuously(`${path}-${n}`)));

async function callContinuously(path: string): Promise<never> {
  for (let turn = 0; ; turn++) {
    await call(turn % 10 === 0 ? "Put" : "Get", path);
    await pause(pauseMs);
  }
}

async function call(method: "Put" | "Get", path: string): Promise<void> {
  const startedAt = Date.now();
  try {
    if (method === "Put") await client.put(path, CONTENT);
    else await client.get(path);
    if (count.calls++ % 50 === 0) report("calls", count);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    count.calls++;
    count.failed++;
    report("failed", { startedAt, method, code: error.code, reason: error.reason, message: error.message });
  }
}
