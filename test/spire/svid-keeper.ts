import { watchHealth } from "../support/health-watch.ts";
import { connect } from "node:http2";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { IdentitySnapshot } from "../../src/identity/source.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { nextEvent } from "../support/next-event.ts";
import { openIdentity, readJob, report } from "./workload.ts";

/**
 * A workload that keeps its first SVID, like an attacker who has stolen it. It follows the bundles, so that it never
 * closes a connection itself. It holds one connection open with a health Watch on it, ignores every GOAWAY, and reports
 * when that connection is closed. It also calls the server's health on a new connection repeatedly, and reports each
 * time whether it was accepted.
 */

const { address, serverId, pauseMs } = readJob();
const source = openIdentity();
let held = await whenReady(source);
source.onChange(({ bundles }) => {
  held = { ...held, bundles };
});
const firstSvid = { snapshot: () => held, onChange: () => () => {} };
await holdConnection(held);
for (;;) {
  await connectAgain();
  await pause(pauseMs);
}

async function connectAgain(): Promise<void> {
  const startedAt = Date.now();
  const client = new CofferClient({ address, identity: firstSvid, serverId, timeoutMs: 10_000, retry: false });
  try {
    await client.health();
    report("accepted", { startedAt });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    report("refused", { startedAt, code: error.code, message: error.message });
  } finally {
    await client.close();
  }
}

/** Resolves when the server has answered on the stream. */
async function holdConnection({ svid }: IdentitySnapshot): Promise<void> {
  if (address.kind !== "tcp") throw new Error("only a connection by TCP can be held");
  const tls = { cert: svid.certPem, key: svid.keyPem, ALPNProtocols: ["h2"], rejectUnauthorized: false };
  const session = connect("https://localhost", { createConnection: () => connectTls({ ...address, ...tls }) });
  session.on("error", () => {});
  session.once("close", () => report("closed"));
  const stream = watchHealth(session);
  await nextEvent(stream, "data");
  report("held");
}
