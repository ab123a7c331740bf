import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { contentOf, storedValue } from "../support/dump.ts";
import { MAIN, Site, type StartOptions } from "../support/server-process.ts";

/** A user that owns nothing on this machine, and the group that a cluster would give to its volumes. */
const UID = 21_010;
const FS_GROUP = 22_010;

/** Runs a command as this user, as a container's runtime does. */
const AS_WORKLOAD = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, `--groups=${FS_GROUP}`, "--no-new-privs"] as const;
const OUTSIDE_THE_GROUP = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"] as const;

/** Why these tests can't run here; false if they can. */
function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return "only root can become another user";
  const [program, ...become] = AS_WORKLOAD;
  const { status, stderr, error } = spawnSync(program, [...become, process.execPath, MAIN, "--version"], {
    cwd: "/",
    encoding: "utf8",
  });
  return status !== 0 && `other users can't run this clone: ${error?.message ?? stderr}`;
}

/**
 * A secret volume of Kubernetes: files of root behind the link `..data`, with the group and the mode that fsGroup sets.
 */
function mountSecrets(folder: string, files: readonly string[], fileMode = 0o440): (name: string) => string {
  const mount = mkdtempSync(join(folder, "secrets-"));
  chmodSync(mount, 0o755);
  const payload = join(mount, "..2026_11_24");
  mkdirSync(payload);
  symlinkSync("..2026_11_24", join(mount, "..data"));
  for (const name of files) {
    copyFileSync(join(folder, name), join(payload, name));
    chownSync(join(payload, name), 0, FS_GROUP);
    chmodSync(join(payload, name), fileMode);
    symlinkSync(join("..data", name), join(mount, name));
  }
  return (name) => join(mount, name);
}

/** Changes a volume as the kubelet does at every mount: gives it to the group, with write access and the setgid bit. */
function mountVolume(folder: string): void {
  const stats = statSync(folder);
  chownSync(folder, stats.uid, FS_GROUP);
  chmodSync(folder, 0o2770);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) mountVolume(path);
    else {
      chownSync(path, UID, FS_GROUP);
      chmodSync(path, 0o660);
    }
  }
}

const SECRETS = ["root.key", "coffer.pem", "coffer.key", "bundle.pem"];

describe("a server that is neither root nor the owner of its volumes", { skip: reasonToSkip() }, () => {
  let site: Site;
  before(() => {
    site = new Site();
    chmodSync(site.folder, 0o755);
    mkdirSync(site.data);
  });
  after(() => site.remove());

  function options(secret: (name: string) => string): StartOptions {
    const flags = ["--cert", secret("coffer.pem"), "--key", secret("coffer.key")];
    const identity = { flags: [...flags, "--bundle", `example.org=${secret("bundle.pem")}`], environment: {} };
    return { prefix: AS_WORKLOAD, rootKey: secret("root.key"), identity };
  }

  function modes(): Record<string, string> {
    const store = join(site.data, "store");
    const paths = [store, ...readdirSync(store).map((name) => join(store, name))];
    return Object.fromEntries(
      paths.map((path) => [path.slice(site.data.length), (statSync(path).mode & 0o777).toString(8)]),
    );
  }

  // Keys have mode 0440 and are behind links. The volume belongs to root with mode 2770, and its files have mode 0660
  // after each mount. The server starts on the empty volume, after a graceful shutdown, and after kill -9 with a log
  // that is not checkpointed. Each time it removes the group's permissions, logs one line, and has all secrets.
  it("starts the first time, after a graceful shutdown, and after kill -9", async () => {
    const as = options(mountSecrets(site.folder, SECRETS));
    const ends = ["stop", "kill", "stop"] as const;
    for (const [round, end] of ends.entries()) {
      mountVolume(site.data);
      const server = await site.start(as);
      const closed = server
        .lines("store warning")
        .filter(({ detail }) => /removed the permissions that a mount had given the group/.test(String(detail)));
      assert.equal(closed.length, round === 0 ? 0 : 1, server.stderr);
      assert.deepEqual(modes(), { "/store": "700", "/store/coffer.db": "600", "/store/coffer.db-wal": "600" });
      const caller = site.caller(server);
      assert.equal((await caller.put({ path: "a", ...contentOf(`value ${round}`) })).response.version, round + 1);
      for (let version = 1; version <= round + 1; version++) {
        assert.equal(storedValue((await caller.get({ path: "a", version })).response), `value ${version - 1}`);
      }
      caller.close();
      await server[end]();
    }
    assert.equal(statSync(site.data).uid, 0);
  });

  // A mount also widens the mode of the write-ahead log that kill -9 leaves. This test shows that the log existed,
  // which the test above does not show.
  it("restricts the mode of the log that kill -9 leaves", async () => {
    const as = options(mountSecrets(site.folder, SECRETS));
    const server = await site.start(as);
    await server.kill();
    mountVolume(site.data);
    assert.equal(modes()["/store/coffer.db-wal"], "660");
    const again = await site.start(as);
    assert.match(
      again.stderr,
      /removed the permissions that a mount had given the group: \S+store, \S+coffer.db, \S+coffer.db-wal"/,
    );
    await again.stop();
  });

  // A key is refused if its group can write it, if every user can read it, or if the server can't read it because it is
  // not in the key's group. All problems are reported together, each with the file's owner and mode and a command. The
  // server starts after root has run the commands of at most three refusals.
  const REFUSALS: readonly (readonly [mode: number, who: string, prefix: readonly string[], said: string])[] = [
    [0o460, "a member of their group", AS_WORKLOAD, `can be changed by its group .*run: chown root:${UID} `],
    [0o444, "a member of their group", AS_WORKLOAD, `is open to every user of this machine .*run: chown root:${UID} `],
    [0o440, "a user outside of their group", OUTSIDE_THE_GROUP, `is denied to uid ${UID} .*run: chown ${UID} `],
  ];
  for (const [mode, who, prefix, said] of REFUSALS) {
    it(`is refused with keys of mode ${mode.toString(8)} as ${who}`, async () => {
      const keys = mountSecrets(site.folder, ["root.key", "coffer.key"], mode);
      const others = mountSecrets(site.folder, ["coffer.pem", "bundle.pem"], 0o444);
      const secret = (name: string) => (name.endsWith(".key") ? keys(name) : others(name));
      const data = mkdtempSync(join(site.folder, "data-"));
      chownSync(data, UID, UID);
      const { code, stderr } = await site.refusal({ ...options(secret), prefix, data });
      assert.equal(code, 2, stderr);
      for (const name of ["root.key", "coffer.key"]) {
        const access = `\\(owner uid 0, gid ${FS_GROUP}, mode 0${mode.toString(8)}\\)`;
        const [words, command] = said.split(".*");
        assert.match(stderr, new RegExp(`${keys(name)} ${words}.*${access}.*${command}${keys(name)}`));
      }
      assert.doesNotMatch(stderr, /\n {4}at /);
      for (let round = 0, refusals = stderr; refusals !== ""; round++) {
        assert.ok(round < 3, refusals);
        for (const [, command] of refusals.matchAll(/^coffer: .*; run: (.*?)(?: - or, .*)?$/gm))
          execFileSync("sh", ["-c", command!]);
        const tried = site.launch({ ...options(secret), prefix, data });
        await tried.serving().catch(() => {});
        refusals = tried.isGone ? tried.stderr : "";
        await tried.stop();
      }
    });
  }
});
