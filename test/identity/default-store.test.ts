import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { pemText } from "../../src/x509/pem.ts";
import { forge, workloadKey } from "../support/chain-world.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const PROGRAM = fileURLToPath(new URL("./print-verdict.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "coffer-default-store-"));
after(() => rmSync(folder, { recursive: true }));

/**
 * OpenSSL's objection to a client of this CA, if the CA is in Node's default store and in no bundle. `store` is where
 * the server searches for CAs: in its bundles, as in production, or in the default store.
 */
function objection(ca: Buffer, leaf: Buffer, store: "bundles" | "default"): string {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const cert = file("leaf.pem", pemText("CERTIFICATE", leaf));
  const key = file("leaf.key", workloadKey.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: file("store.pem", pemText("CERTIFICATE", ca)) };
  return execFileSync(process.execPath, [PROGRAM, cert, key, store], { env, encoding: "utf8", timeout: PATIENCE_MS });
}

// Without a bundle, the list of CAs for OpenSSL is empty. If the list were missing, Node would use its default CAs.
it("a CA in Node's default store is not trusted if it is in no bundle", () => {
  const ca = forge.ca("spiffe://example.org");
  const [leaf] = ca.issue({ id: "spiffe://example.org/a", key: workloadKey }).chain;
  assert.equal(objection(ca.der, leaf!, "bundles"), "UNABLE_TO_GET_ISSUER_CERT_LOCALLY");
  assert.equal(objection(ca.der, leaf!, "default"), "none");
});
