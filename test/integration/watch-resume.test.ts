import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { it } from "node:test";
import { LONG } from "../support/long-form.ts";
import { ADMIN, type Caller, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";
import { ResumingWatcher } from "../support/watch-load.ts";

// The long form is the requirement: a watcher that is killed and resumed 1,000 times.
const KILLS = LONG ? 1000 : 30;
const KILLS_BETWEEN_RESTARTS = LONG ? 50 : 10;
const KILLS_BETWEEN_POLICIES = 7;
const WATCHERS = 4;
const SECRETS = 20;

const policyWith = (...paths: readonly string[]) => `
rules:
  - name: web
    spiffe_ids: [${WEB}]
    paths: [${paths.join(", ")}]
    actions: [read, watch]
`;

const ALL = policyWith("load/**");
const SOME = policyWith("load/a/**", "load/marker");

// Whatever happens to its connection, to the server and to the policy, a watcher misses no path's newest state. It gets no
// event out of order or before its commit, and no event that the policy in force does not allow.
it(`watchers that are killed and resumed ${KILLS} times know the newest states`, async () => {
  const kit = await ServerKit.start();
  let admin: Caller;
  let isAll = true;
  let isStopped = false;
  let isPaused = false;
  let isWriting = false;
  const versions = new Map<string, number>();
  /** While the policy hides paths: the first version of each hidden path that was put since then. */
  let hidden: Map<string, number> | undefined;
  const faults: string[] = [];
  const paths = Array.from({ length: SECRETS }, (_, i) => `load/${i % 2 === 0 ? "a" : "b"}/${i}`);

  const adopt = async (text: string) => {
    const loads = () => kit.log.filter(({ event }) => event === "policy loaded").length;
    const before = loads();
    writeFileSync(kit.config.policy!, text);
    kit.server.reload();
    await until("the policy is loaded", () => loads() > before);
    await kit.settled();
  };
  /** Lets watchers see all secrets, or only some. */
  const show = async (all: boolean) => {
    if (all) hidden = undefined;
    await adopt(all ? ALL : SOME);
    if (!all) hidden = new Map();
  };
  const put = async (path: string) => {
    const version = (versions.get(path) ?? 0) + 1;
    if (path.startsWith("load/b/") && hidden?.has(path) === false) hidden.set(path, version);
    const { code, response } = await admin.put({ path, data: { k: `${path}@${version}` } });
    assert.equal(code, "OK");
    versions.set(path, response.version);
    return response.revision as number;
  };
  let reading: Promise<void> | undefined;
  const read = async (path: string, version: number) => {
    const { code, response } = await admin.get({ path });
    reading = undefined;
    // The server may be restarting.
    if (code === "OK" && response.version < version) faults.push(`${path}: version ${version} is not committed`);
  };
  /** Checks an event when it arrives. */
  const check = (path: string, version: number) => {
    const first = hidden?.get(path);
    if (first !== undefined && version >= first) faults.push(`${path}: version ${version} is hidden`);
    if (!isPaused) reading ??= read(path, version);
  };
  const write = async () => {
    for (let i = 0; !isStopped; i++) {
      isWriting = !isPaused;
      if (isPaused) await pause(1);
      else await put(paths[(i * 7) % SECRETS]!);
    }
  };
  /** Runs `task` while nothing is written. */
  const alone = async (task: () => Promise<void>) => {
    isPaused = true;
    await until("the writer pauses", () => !isWriting);
    await task();
    isPaused = false;
  };

  await show(true);
  admin = kit.caller(ADMIN);
  for (const path of paths) await put(path);
  const watchers = Array.from({ length: WATCHERS }, () => new ResumingWatcher("load/", check));
  for (const watcher of watchers) watcher.resume(kit, WEB);
  const writing = write();
  for (let kill = 1; kill <= KILLS; kill++) {
    const watcher = watchers[kill % WATCHERS]!;
    watcher.kill();
    if (kill % 3 === 0) await pause(3);
    if (kill % KILLS_BETWEEN_POLICIES === 0) {
      isAll = !isAll;
      await show(isAll);
    }
    if (kill % KILLS_BETWEEN_RESTARTS === 0) {
      await alone(async () => {
        admin.close();
        await kit.restart();
        admin = kit.caller(ADMIN);
        for (const each of watchers) {
          each.kill();
          each.resume(kit, WEB);
        }
      });
    } else watcher.resume(kit, WEB);
    await pause(kill % 5);
  }
  isStopped = true;
  await writing;
  for (const watcher of watchers) {
    // When the policy allows fewer secrets, only those arrive.
    await show(false);
    await put("load/b/1");
    const revision = await put("load/marker");
    await watcher.sees("load/marker", revision);
    assert.deepEqual([...faults, ...watcher.faults], []);
    const allowed = [...paths.filter((path) => path.startsWith("load/a/")), "load/marker"];
    // A secret of a snapshot arrives before the SYNCED that ends the snapshot.
    const knowsAll = () => watcher.isSynced && allowed.every((path) => isNewest(watcher, path));
    await until("the watcher knows everything", knowsAll);
    assert.deepEqual([...watcher.known.keys()].sort(), allowed.sort(), "and no other secrets");
    await show(true);
    await until("the others arrive when they are allowed again", () => paths.every((path) => isNewest(watcher, path)));
  }
  for (const watcher of watchers) watcher.kill();
  await reading;
  assert.deepEqual(faults, []);
  admin.close();
  await kit.stop();

  function isNewest(watcher: ResumingWatcher, path: string): boolean {
    return watcher.known.get(path)?.version === versions.get(path);
  }
});
