import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fetchOps } from "../support/fetch-ops.ts";
import { freePort } from "../support/free-port.ts";
import { contentOf, storedValue } from "../support/dump.ts";
import { Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

/**
 * Whether /proc/locks names the holder of the lock, under the device number that stat reports. In some containers it
 * does not.
 */
function isLockHolderKnown(pid: number, data: string): boolean {
  const [major, minor] = execFileSync("stat", ["-c", "%Hd %Ld", join(data, "store/coffer.db")], { encoding: "utf8" })
    .split(" ")
    .map((number) => Number(number).toString(16).padStart(2, "0"));
  try {
    return readFileSync("/proc/locks", "latin1")
      .split("\n")
      .map((line) => line.split(/\s+/))
      .some((fields) => fields[4] === String(pid) && fields[5]!.startsWith(`${major}:${minor}:`));
  } catch {
    return false;
  }
}

// A second server on the same data, by any path, is refused immediately with exit code 2, and the message names the
// process to stop. The first server and its lock are not affected. After the first has ended, the second can start.
test("two servers never share a data folder", async () => {
  const first = await site.start();
  const caller = site.caller(first);
  await caller.put({ path: "a", ...contentOf("one") });
  const alias = join(site.folder, "alias");
  symlinkSync(site.data, alias);
  for (const data of [site.data, alias, site.data]) {
    const { code, stderr } = await site.refusal({ data });
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /coffer\.db open: one server at a time; stop it or give this one another --data; .*--lock-wait; .*strategy: Recreate/,
    );
    if (isLockHolderKnown(first.pid, site.data)) assert.match(stderr, new RegExp(`process ${first.pid} has `));
    assert.equal((await caller.put({ path: "a", ...contentOf("two") })).code, "OK");
  }
  assert.equal(storedValue((await caller.get({ path: "a", version: 1 })).response), "one");
  caller.close();
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  const second = await site.start({ data: alias });
  const again = site.caller(second);
  assert.equal((await again.get({ path: "a" })).response.version, 4);
  again.close();
});

// The message of a second start names the running server, and not the port of the ops listener, which is also in use.
// The control: with other data, the message names the port.
test("a second start names the server that already runs", async (t) => {
  const data = join(site.folder, "twice");
  const flags = ["--ops-listen", `127.0.0.1:${await freePort()}`];
  const first = await site.start({ data, flags });
  t.after(() => first.stop());
  const { code, stderr } = await site.refusal({ data, flags });
  assert.equal(code, 2);
  if (!isLockHolderKnown(first.pid, data)) return t.skip("the kernel does not show the holder of a lock");
  assert.match(
    stderr,
    new RegExp(`^coffer: a server \\(process ${first.pid}\\) already runs on ${data}; stop it, or `, "m"),
  );
  assert.doesNotMatch(stderr, /EADDRINUSE/);
  const other = await site.refusal({ data: join(site.folder, "else"), flags });
  assert.match(other.stderr, /^coffer: --ops-listen: can't listen on .* \(EADDRINUSE\); use another address, or off$/m);
});

// Rolling updates: the new server starts beside the old one, waits without affecting it, takes over as soon as the old
// one has shut down or was killed, and has every acknowledged change.
test("a waiting server takes over when the other server ends", async () => {
  const data = join(site.folder, "handed-over");
  let serving = await site.start({ data });
  for (const [round, end] of (["stop", "kill", "stop", "kill"] as const).entries()) {
    const caller = site.caller(serving);
    const next = site.launch({ data, flags: ["--lock-wait", "5m"] });
    const { detail } = await next.logged("store in use");
    if (isLockHolderKnown(serving.pid, data)) assert.match(String(detail), new RegExp(`process ${serving.pid} has `));
    assert.equal((await caller.put({ path: "a", ...contentOf(`value ${round}`) })).response.version, round + 1);
    assert.deepEqual(next.lines("listening"), []);
    caller.close();
    await serving[end]();
    await next.serving();
    assert.equal(next.lines("store in use").length, 1);
    const after = site.caller(next);
    assert.equal(storedValue((await after.get({ path: "a" })).response), `value ${round}`);
    after.close();
    serving = next;
  }
  await serving.stop();
});

// While a server waits, /livez is 200 and /readyz is 503. The server exits with the refusal when the time of
// --lock-wait is over, gracefully on SIGTERM, and immediately if there is another problem, which waiting would not
// solve.
test("a waiting server ends on SIGTERM, when its time is over, and for any other problem", async () => {
  const data = join(site.folder, "held");
  const holder = await site.start({ data });
  const late = await site.refusal({ data, flags: ["--lock-wait", "300ms"] });
  assert.equal(late.code, 2, late.stderr);
  assert.match(late.stderr, /"event":"store in use"/);
  assert.match(late.stderr.split("\n").slice(-2).join(""), /one server at a time/);
  const opsPort = await freePort();
  const waiting = site.launch({ data, flags: ["--lock-wait", "5m", "--ops-listen", `127.0.0.1:${opsPort}`] });
  await waiting.logged("store in use");
  assert.equal((await fetchOps(`http://127.0.0.1:${opsPort}/livez`)).status, 200);
  const readiness = await fetchOps(`http://127.0.0.1:${opsPort}/readyz`);
  assert.equal(readiness.status, 503);
  assert.match(await readiness.text(), /store.*waiting for another server/);
  assert.deepEqual(await waiting.stop(), { code: 0, signal: null });
  const wrong = await site.refusal({ data, flags: ["--lock-wait", "5m", "--policy", join(data, "none.yaml")] });
  assert.equal(wrong.code, 2, wrong.stderr);
  assert.match(wrong.stderr, /none\.yaml/);
  assert.match(wrong.stderr, /one server at a time/);
  const caller = site.caller(holder);
  assert.equal((await caller.put({ path: "a", ...contentOf("still here") })).code, "OK");
  caller.close();
  await holder.stop();
});
