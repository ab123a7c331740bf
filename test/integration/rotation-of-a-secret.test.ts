import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { coffer } from "../support/cli-kit.ts";
import { codeBlocks, page } from "../support/pages.ts";
import { pasted } from "../support/pasted-commands.ts";
import { RotatingWorkload, type WorkloadPlace } from "../support/rotating-workload.ts";
import { ADMIN } from "../support/server-kit.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { filesWith, sealedOf } from "../support/stored-content.ts";
import { until } from "../support/until.ts";

/** The number of workloads on the page. */
const WORKLOADS = 40;

/** How many workloads are started at a time: a start takes a second of CPU time. */
const AT_A_TIME = 4;

const rotation = page("docs/rotation.md");

/** The only block of a language below a heading of the page. */
function blockOf(heading: string, language: string): string {
  return codeBlocks(rotation, heading, language)[0]!;
}

const [policy, agent] = codeBlocks(rotation, "Prepare", "yaml") as [string, string];
const blocks = { agent, run: blockOf("Prepare", "sh"), program: blockOf("Prepare", "ts") };
const look = blockOf("Look at the watchers", "sh");
const [lookAgain, wait] = codeBlocks(rotation, "Wait for the watchers", "sh") as [string, string];
const [destroy, lookAtLast] = codeBlocks(rotation, "Destroy the old version", "sh") as [string, string];

/** The line of `coffer describe` that the page shows. */
function shownBelow(heading: string): string {
  return blockOf(heading, "").trimEnd();
}

const OPERATOR = "spiffe://example.org/ns/ops/sa/rotation";
const SHOP = "spiffe://example.org/ns/shop/sa";
/** The workload that is held back, in the example of the page. */
const HELD = "orders-7";
const OLD = "the password of version 1, which is gone at the end";
const NEW = "the password of version 2";

const site = new Site();
let server: ServerProcess;
let held: RotatingWorkload;
const workloads: RotatingWorkload[] = [];

/** Runs a block of the page as the operator, in a folder that has the file with the new password. */
function operator(block: string, setup = "") {
  const cwd = join(site.folder, "operator");
  return pasted(block, { cwd, setup, env: site.variables(OPERATOR, server) });
}

/** Reads version 1 as an administrator, because the operator may not read. */
function getOld() {
  return coffer(["get", "shop/db", "password", "--version", "1"], { env: site.variables(ADMIN, server) });
}

/** Runs `coffer describe` of the page until its output has this line. */
async function described(line: string, block: string): Promise<void> {
  let shown = "";
  await until(`describe showed ${line}, and not ${shown}`, async () => {
    const { stdout } = await operator(block);
    shown = stdout.toString();
    return shown.split("\n").includes(line);
  });
}

/** The place of an instance. */
function placeOf(account: string, name: string): WorkloadPlace {
  return { folder: join(site.folder, name), name, env: site.variables(`${SHOP}/${account}`, server) };
}

/**
 * Starts one workload. A third are agents, each with its own SPIFFE ID; a third are instances of `web`, and a third of
 * `orders`.
 */
function launch(n: number): RotatingWorkload {
  if (n % 3 === 0) return RotatingWorkload.agent(placeOf(`agent-${n}`, `agent-${n}`), blocks);
  if (n % 3 === 1) return RotatingWorkload.run(placeOf("web", `web-${n}`), blocks);
  const name = `orders-${Math.floor(n / 3) + 7}`;
  if (name !== HELD) return RotatingWorkload.program(placeOf("orders", name), blocks);
  held = RotatingWorkload.program(placeOf("orders", name), blocks, NEW);
  return held;
}

// The tests follow the page in its order. Each needs those before it.
describe(`docs/rotation.md, followed with ${WORKLOADS} workloads`, () => {
  let sealed: Buffer;
  before(async () => {
    const policyFile = join(site.folder, "policy.yaml");
    writeFileSync(policyFile, policy);
    mkdirSync(join(site.folder, "operator"));
    writeFileSync(join(site.folder, "operator", "new-password"), NEW);
    server = await site.start({ flags: ["--policy", policyFile] });
    const admin = site.caller(server);
    assert.equal((await admin.put({ path: "shop/db", data: { user: "app", password: OLD } })).code, "OK");
    admin.close();
    sealed = sealedOf(site, "shop/db");
    for (let n = 0; n < WORKLOADS; n += AT_A_TIME) {
      const group = Array.from({ length: Math.min(AT_A_TIME, WORKLOADS - n) }, (_, i) => launch(n + i));
      workloads.push(...group);
      await Promise.all(group.map((workload) => workload.uses(OLD)));
    }
  });
  after(async () => {
    await Promise.all(workloads.map((workload) => workload.stop()));
    await site.remove();
  });

  it("shows that all of them use version 1", async () => {
    await described(shownBelow("Look at the watchers"), look);
  });

  it("puts the new version, and each workload that is not held back uses it", async () => {
    const put = await operator(blockOf("Put the new version", "sh"));
    assert.equal(put.code, 0, put.stderr);
    await Promise.all(workloads.filter((workload) => workload !== held).map((workload) => workload.uses(NEW)));
  });

  it("names the workload that is held back, and only that one", async () => {
    await described(shownBelow("Wait for the watchers"), lookAgain);
  });

  // The controls: the same commands succeed below, when the workload has continued.
  it("refuses to destroy version 1 while it is in use, and changes nothing", async () => {
    const { code, stderr } = await operator(destroy);
    assert.deepEqual([code, stderr.trimEnd()], [5, shownBelow("Destroy the old version")]);
    const old = await getOld();
    assert.equal(old.stdout.toString(), OLD, old.stderr);
    assert.notDeepEqual(filesWith(site, sealed), []);
  });

  it("waits until the workload that is held back uses version 2", async () => {
    const pauses = join(site.folder, "pauses");
    const waiting = operator(wait, `sleep() { echo "$1" >>"${pauses}"; command sleep 0.1; }`);
    await until("the command of the page waited", () => existsSync(pauses));
    held.release();
    await held.uses(NEW);
    const { code, stderr } = await waiting;
    assert.equal(code, 0, stderr);
  });

  it("destroys version 1, whose content is then gone", async () => {
    const destroyed = await operator(destroy);
    assert.equal(destroyed.code, 0, destroyed.stderr);
    assert.match((await operator(lookAtLast)).stdout.toString(), /^1 +DESTROYED /m);
    assert.equal((await getOld()).code, 3);
    assert.deepEqual(filesWith(site, sealed), []);
    for (const workload of workloads) assert.ok(!workload.hasEnded);
  });
});
