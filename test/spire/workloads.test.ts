import assert from "node:assert/strict";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findGrpcurl, GRPCURL_INSTALL, grpcurl, runGrpcurl } from "../support/grpcurl.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { ENTRIES, Machine } from "./machine.ts";
import { reasonToSkip } from "../support/programs.ts";
import type { Entry, Spire } from "./spire.ts";

const { coffer, admin, api, web } = ENTRIES;

// The tests are one session of a server, an operator and workloads, and depend on each other.
describe("with identities from a real SPIRE, without identity files", { skip: reasonToSkip() }, () => {
  let machine: Machine;
  let spire: Spire;
  let server: ServerProcess;
  before(async () => {
    machine = new Machine();
    spire = await machine.spire();
  });
  after(() => machine.end());

  // A server that starts before its entry exists runs, is not ready, and reports why.
  it("Coffer waits for its entry, and then serves", async () => {
    server = await machine.startCoffer(spire);
    const { detail } = await server.logged("no identity");
    assert.match(String(detail), /PERMISSION_DENIED: no identity issued$/);
    assert.equal((await machine.readiness()).status, 503);
    await spire.addEntry(coffer);
    await server.serving();
    assert.equal(server.lines("identity updated")[0]?.["spiffe_id"], coffer.id);
    assert.equal((await machine.readiness()).status, 200);
  });

  it("the operator and a workload put, and the workload gets", async () => {
    for (const entry of [admin, api, web]) await spire.addEntry(entry);
    assert.deepEqual(await run(admin, "put", "shop/shared/queue", "url=amqp://queue"), [0, ""]);
    assert.deepEqual(await run(api, "put", "shop/api/db", "user=app"), [0, ""]);
    assert.deepEqual(await run(api, "get", "shop/api/db", "user"), [0, "app"]);
    assert.deepEqual(await run(web, "get", "shop/shared/queue", "url"), [0, "amqp://queue"]);
  });

  // Another user of the same machine runs the same program: only its SVID differs.
  it("a workload is denied what only another may read", async () => {
    assert.deepEqual(await run(web, "get", "shop/api/db", "user"), [4, ""]);
    const [denied] = server.lines("call denied");
    assert.deepEqual([denied?.["spiffe_id"], denied?.["path"]], [web.id, "shop/api/db"]);
  });

  it("a user without an entry has no identity, and gets the reason", async () => {
    const noEntry = { name: "no-entry", id: "", uid: 21_009 };
    const { code, stderr } = await machine.command(spire, noEntry, "get", "shop/api/db", "--timeout", "1s");
    assert.equal(code, 7);
    assert.match(stderr, /PERMISSION_DENIED: no identity issued/);
  });

  // grpcurl verifies the server by its DNS name, which the entry puts into the SVID, and reads its own SVID from files.
  const program = findGrpcurl();
  it("grpcurl calls Coffer with -cacert", { skip: program === undefined && GRPCURL_INSTALL }, async () => {
    const folder = join(machine.folder, "api");
    mkdirSync(folder, { mode: 0o700 });
    chownSync(folder, api.uid, api.uid);
    const fetched = await spire.fetch(api.uid, "-write", folder);
    assert.equal(fetched.code, 0, fetched.stderr);
    const [roots, cert, key] = ["bundle.0.pem", "svid.0.pem", "svid.0.key"].map((name) => join(folder, name));
    const run = runGrpcurl(program!, { address: machine.address, roots: roots!, cert: cert!, key: key! });
    const { code, response } = await grpcurl(run).call("coffer.v1.Secrets/Get", { path: "shop/api/db" });
    assert.deepEqual([code, response?.data], ["OK", { user: "app" }]);
  });

  // The user of api also has a second SVID, the one of admin.
  it("a command uses the SVID that its options select", async () => {
    await spire.addEntry({ ...admin, name: "operator", uid: api.uid, hint: "operator" });
    const put = ["put", "operator/note", "text=hello"];
    assert.deepEqual(await run(api, ...put, "--svid-hint", "operator"), [0, ""]);
    assert.deepEqual(await run(api, ...put, "--svid-id", admin.id), [0, ""]);
    assert.deepEqual(await run(api, ...put, "--svid-id", api.id), [4, ""]);
  });

  /** Returns the exit code, and the output of a get. The output of a put is omitted. */
  async function run(entry: Entry, ...words: readonly string[]): Promise<[number | null, string]> {
    const { code, stdout, stderr } = await machine.command(spire, entry, ...words);
    if (code !== 0 && code !== 4) assert.fail(stderr);
    return [code, words[0] === "get" ? String(stdout).trimEnd() : ""];
  }
});
