import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { ofThisFile } from "../support/children.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import { PATIENT } from "../support/cli-caller.ts";
import { coffer, PROGRAM } from "../support/cli-kit.ts";
import { ServerProcess } from "../support/server-process.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";
import { page } from "../support/pages.ts";
import { environmentOf, lastOf, unitFilesIn } from "./unit-file.ts";

const [unit] = unitFilesIn(page("docs/systemd.md"));
const skip = spawnSync("setpriv", ["--version"]).status === 0 ? false : "there is no setpriv";

/**
 * Runs the unit's command with its variables and privileges, as far as that is possible without systemd, whose
 * restrictions of the file system and filter of system calls are missing.
 */
describe("docs/systemd.md, followed", { skip }, () => {
  it("serves, with restricted files and without privileges", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-systemd-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const agent = await WorkloadApiServer.start(join(folder, "agent.sock"));
    t.after(() => agent.close());
    const spire = new SpireDomain("example.org", systemClock);
    prepare(folder);

    agent.send(response([spire.issue("/coffer")]));
    const server = start(folder, agent.endpoint);
    t.after(() => server.stop());
    await server.serving();
    const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.equal(statSync(join(folder, "coffer", "store")).mode & 0o777, 0o700);
    assert.deepEqual(
      server.lines("memory may be written to disk").filter(({ detail }) => /core dump/.test(`${detail}`)),
      [],
    );

    const env = {
      COFFER_ADDR: `127.0.0.1:${server.port}`,
      COFFER_SERVER_ID: "spiffe://example.org/coffer",
      SPIFFE_ENDPOINT_SOCKET: agent.endpoint,
      ...PATIENT,
    };
    agent.send(response([spire.issue("/coffer"), spire.issue("/admin")]));
    const put = await coffer(["put", "a/b", "k=-", "--svid-id", "spiffe://example.org/admin"], { env, input: "v" });
    assert.equal(put.code, 0, put.stderr);
    assert.equal((await server.stop()).code, 0);
  });
});

/** The folders that root and systemd would create: %S for the state, and %d for the credential. */
function prepare(folder: string): void {
  mkdirSync(join(folder, lastOf(unit!, "StateDirectory")), {
    mode: Number.parseInt(lastOf(unit!, "StateDirectoryMode"), 8),
  });
  const key = join(folder, lastOf(unit!, "LoadCredential").split(":")[0]!);
  makeRootKey(key);
  chmodSync(key, 0o400);
}

function start(folder: string, endpoint: string): ServerProcess {
  const [, options] = lastOf(unit!, "ExecStart").split(/ \S+\/main\.js /);
  const arguments_ = options!
    .replaceAll(/%[Sd]/g, folder)
    .split(/\s+/)
    .filter((text) => !text.startsWith("--policy="));
  const limits = `umask ${lastOf(unit!, "UMask")}; ulimit -c ${lastOf(unit!, "LimitCORE")}`;
  const unprivileged = ["setpriv", "--no-new-privs", "--inh-caps=-all", ...(isRoot() ? ["--bounding-set=-all"] : [])];
  const command = [...unprivileged, process.execPath, PROGRAM, ...arguments_];
  const env = {
    PATH: process.env["PATH"],
    ...environmentOf(unit!),
    SPIFFE_ENDPOINT_SOCKET: endpoint,
    COFFER_SERVER_LISTEN: "127.0.0.1:0",
    COFFER_SERVER_OPS_LISTEN: "off",
  };
  const shell = ["-c", `${limits}; exec "$@"`, "sh", ...command];
  return new ServerProcess(ofThisFile(spawn("sh", shell, { env, stdio: ["ignore", "ignore", "pipe"] })));
}

function isRoot(): boolean {
  return process.getuid!() === 0;
}
