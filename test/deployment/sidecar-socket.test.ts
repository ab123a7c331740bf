import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { callerVariables } from "../support/cli-caller.ts";
import { PROGRAM, type Ran, runToEnd } from "../support/cli-kit.ts";
import { API, ServerKit } from "../support/server-kit.ts";

/** The workload's uid and the pod's fsGroup of docs/sidecar.md. No user here has either of them. */
const WORKLOAD = 10_001;
const FS_GROUP = 20_000;

/** What the container runtime does for a process: sets the workload's uid, with or without the pod's group. */
const IN_THE_GROUP = ["--reuid=10001", "--regid=10001", `--groups=${FS_GROUP}`, "--no-new-privs"] as const;
const OUTSIDE_THE_GROUP = ["--reuid=10001", "--regid=10001", "--clear-groups", "--no-new-privs"] as const;

function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return "only root can become another user";
  const version = [...IN_THE_GROUP, process.execPath, PROGRAM, "--version"];
  const { status, stderr, error } = spawnSync("setpriv", version, { cwd: "/", encoding: "utf8" });
  return status !== 0 && `other users can't run this clone: ${error?.message ?? stderr}`;
}

describe("a socket beside a workload under another uid", { skip: reasonToSkip() }, () => {
  for (const { mode, admitted, refused } of [
    { mode: 0o660, admitted: [IN_THE_GROUP], refused: [OUTSIDE_THE_GROUP] },
    { mode: 0o666, admitted: [IN_THE_GROUP, OUTSIDE_THE_GROUP], refused: [] },
  ] as const) {
    describe(`of mode ${mode.toString(8)}`, () => {
      let folder: string;
      let kit: ServerKit;
      let env: Record<string, string>;
      before(async () => {
        // The socket's folder is like an emptyDir: with fsGroup, it is writable for the group and has the set-group-ID
        // bit; without fsGroup, it is writable for all.
        folder = mkdtempSync(join(tmpdir(), "coffer-socket-"));
        chownSync(folder, 0, FS_GROUP);
        chmodSync(folder, mode === 0o660 ? 0o2770 : 0o777);
        kit = await ServerKit.start({ listen: [{ kind: "unix", path: join(folder, "coffer.sock"), mode }] });
        chmodSync(kit.folder, 0o755);
        env = owned(callerVariables(kit, API, "api"));
      });
      after(async () => {
        await kit.stop();
        rmSync(folder, { recursive: true });
      });

      /** The caller's variables, with files that the workload owns. */
      function owned(variables: Record<string, string>): Record<string, string> {
        for (const file of [variables["COFFER_KEY"]!, variables["COFFER_CERT"]!]) chownSync(file, WORKLOAD, WORKLOAD);
        return variables;
      }

      function run(as: readonly string[], line: string, variables = env): Promise<Ran> {
        return runToEnd("setpriv", [...as, process.execPath, PROGRAM, ...line.split(" ")], {
          env: variables,
          cwd: "/",
        });
      }

      it("has that mode, and the group of a folder with the set-group-ID bit", () => {
        const { mode: whole, gid } = statSync(join(folder, "coffer.sock"));
        assert.deepEqual([whole & 0o777, gid], [mode, mode === 0o660 ? FS_GROUP : process.getgid!()]);
      });

      it("accepts the workload with its SVID, and runs its program", async () => {
        for (const as of admitted) {
          assert.equal((await run(as, "put shop/api/db password=hidden")).code, 0);
          assert.equal((await run(as, "get shop/api/db password")).stdout.toString(), "hidden");
          const program = await run(as, "run DB=shop/api/db:password -- printenv DB");
          assert.equal(program.stdout.toString(), "hidden\n");
        }
      });

      // The kernel refuses the connection before the server sees it. Where the kernel allows it, an SVID of another CA
      // is refused.
      it("refuses other users", async () => {
        for (const as of refused) {
          const seen = kit.log.length;
          const ran = await run(as, "get shop/api/db password");
          assert.equal(ran.code, 6, ran.stderr);
          assert.deepEqual(kit.log.slice(seen), []);
        }
        const forger = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
        const { cert, key } = kit.writeCredential(forger.issue({ id: API }), "forged");
        // The bundles include the client's own CA, so that the client accepts its own SVID, and the server's CA.
        const both = join(kit.folder, "both.pem");
        writeFileSync(both, forger.bundlePem + kit.ca.bundlePem);
        const foreign = owned({ ...env, COFFER_CERT: cert, COFFER_KEY: key, COFFER_BUNDLE: both });
        for (const as of admitted) {
          const ran = await run(as, "get shop/api/db password", foreign);
          assert.deepEqual([ran.code, ran.stdout.toString()], [7, ""], ran.stderr);
        }
        const refusals = kit.log.filter(({ event }) => event === "connection refused");
        assert.deepEqual(new Set(refusals.map(({ reason }) => reason)), new Set(["untrusted"]));
      });
    });
  }
});
