import { watchHealth } from "../support/health-watch.ts";
import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { ClientError } from "../../src/client/client-error.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { IdentitySnapshot } from "../../src/identity/source.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import { openIdentity, readOrders, say } from "./workload.ts";

/**
 * A workload that clings to the first SVID that it gets, as a thief of it would; only whom it trusts it takes from the
 * newest, so that it is never itself who breaks off. It holds one connection open with a stream on it, a health Watch,
 * whatever the server asks of it, and says when that is closed. And it asks for the server's health on a new connection
 * again and again, and says each time whether it got in.
 */

const { address, serverId, pauseMs } = readOrders();
const source = openIdentity();
let held = await whenReady(source);
source.onChange(({ bundles }) => {
  held = { ...held, bundles };
});
const clinging = { snapshot: () => held, onChange: () => () => {} };
await holdOn(held);
for (;;) {
  await tryAgain();
  await pause(pauseMs);
}

async function tryAgain(): Promise<void> {
  const begun = Date.now();
  const client = new CofferClient({ address, identity: clinging, serverId, timeoutMs: 10_000, retry: false });
  try {
    await client.health();
    say("in", { begun });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    say("out", { begun, code: error.code, message: error.message });
  } finally {
    await client.close();
  }
}

/** Resolves when the server has answered on the stream. */
async function holdOn({ svid }: IdentitySnapshot): Promise<void> {
  if (address.kind !== "tcp") throw new Error("a connection by TCP is held");
  const tls = { cert: svid.certPem, key: svid.keyPem, ALPNProtocols: ["h2"], rejectUnauthorized: false };
  const session = connect("https://localhost", { createConnection: () => connectTls({ ...address, ...tls }) });
  session.on("error", () => {});
  session.once("close", () => say("closed"));
  const stream = watchHealth(session);
  await once(stream, "data");
  say("held");
}
