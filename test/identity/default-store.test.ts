import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { pemText } from "../../src/x509/pem.ts";
import { forge, workloadKey } from "../support/chain-world.ts";

const PROGRAM = fileURLToPath(new URL("./print-sent-chain.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "coffer-default-store-"));
after(() => rmSync(folder, { recursive: true }));

/** How many certificates a server sees of a client that sent one, when Node's default store has this authority. */
function seen(authority: Buffer, leaf: Buffer, store: "ours" | "default"): string {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const cert = file("leaf.pem", pemText("CERTIFICATE", leaf));
  const key = file("leaf.key", workloadKey.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: file("store.pem", pemText("CERTIFICATE", authority)) };
  return execFileSync(process.execPath, [PROGRAM, cert, key, store], { env, encoding: "utf8", timeout: 60_000 });
}

// Node goes on from what was sent into the store of the context. There, authorities of the machine would become part of a
// peer's chain, and two that have signed each other would have the walk go round for ever, on the server's only thread.
it("the authorities of the machine are no part of what a peer has sent", () => {
  const authority = forge.authority("spiffe://example.org");
  const [leaf] = authority.issue({ id: "spiffe://example.org/a", key: workloadKey }).chain;
  assert.equal(seen(authority.der, leaf!, "ours"), "1");
  assert.equal(seen(authority.der, leaf!, "default"), "2");
});
