import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { withClient } from "../../src/cli/client-connection.ts";
import { ClientError } from "../../src/client/client-error.ts";
import { parseAddress } from "../../src/domain/address.ts";
import { systemClock, processTimers } from "../../src/domain/timers.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { serving } from "../support/cli-kit.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import type { LogLine } from "../support/server-kit.ts";
import type { ServerProcess } from "../support/server-process.ts";

const HOUR = 3600_000;
const SERVER = "spiffe://example.org/coffer";
const ADMIN = "spiffe://example.org/admin";

let folder: string;
let server: ServerProcess;
const ca = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock, { notBefore: Date.now() - 2 * HOUR });

before(() => {
  folder = mkdtempSync(join(tmpdir(), "coffer-expired-"));
  writeFileSync(join(folder, "bundle.pem"), ca.bundlePem, { mode: 0o644 });
});
after(async () => {
  await server.kill();
  rmSync(folder, { recursive: true });
});

/** Writes an SVID that expires in `endsIn` milliseconds, into files whose modification time is an hour ago. */
function write(name: string, id: string, endsIn: number) {
  const now = Date.now();
  const { certPem, keyPem } = ca.issue({ id, notBefore: now - HOUR, notAfter: now + endsIn });
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  writeFileSync(files.cert, certPem, { mode: 0o644 });
  writeFileSync(files.key, keyPem, { mode: 0o600 });
  for (const file of [files.cert, files.key]) utimesSync(file, new Date(now - HOUR), new Date(now - HOUR));
  return files;
}

const withDetail = (detail: RegExp) => (line: LogLine) => detail.test(String(line["detail"]));

// A program such as spiffe-helper can renew the files some seconds later. Until then the process must wait, and must
// not exit and be restarted repeatedly.
describe("an SVID that expired before the start", () => {
  it("makes the server wait, and report why it is not ready", async () => {
    const { cert, key } = write("server", SERVER, -1000);
    ({ server } = serving(["serve"], {
      env: {
        COFFER_SERVER_LISTEN: "127.0.0.1:0",
        COFFER_SERVER_OPS_LISTEN: "127.0.0.1:0",
        COFFER_SERVER_STORE: "memory",
        COFFER_SERVER_ADMIN: ADMIN,
        COFFER_SERVER_CERT: cert,
        COFFER_SERVER_KEY: key,
        COFFER_SERVER_BUNDLE: `example.org=${join(folder, "bundle.pem")}`,
      },
    }));
    await server.logged("waiting for an identity", withDetail(/server\.pem, verified with .*: the leaf expired at/));
    write("server", SERVER, HOUR);
    await server.serving();
  });

  // `coffer get --wait` repeats such a call until there is an answer.
  it("fails a client's call, and the next attempt uses the renewed SVID", async () => {
    const { address } = await server.logged("listening");
    const { cert, key } = write("client", ADMIN, -1000);
    const files = { cert, key, bundles: new Map([["example.org", join(folder, "bundle.pem")]]) };
    const config = {
      address: parseAddress(String(address)),
      identity: { kind: "files", files, because: "the test says so" } as const,
      serverId: SpiffeId.parse(SERVER),
      timeoutMs: PATIENCE_MS,
    };
    await withClient(config, processTimers, async (client) => {
      const early = await client.describe("a").catch((error: unknown) => error);
      assert.ok(early instanceof ClientError);
      assert.equal(early.failure?.kind, "no-identity");
      assert.match(early.message, /the leaf expired at/);
      write("client", ADMIN, HOUR);
      const next = () => client.describe("a").catch((error: ClientError) => error);
      let answer = await next();
      while (answer instanceof ClientError && answer.failure?.kind === "no-identity") {
        await new Promise(setImmediate);
        answer = await next();
      }
      assert.ok(answer instanceof ClientError);
      assert.equal(answer.reason, "SECRET_NOT_FOUND");
    });
  });
});
