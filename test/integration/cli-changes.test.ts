import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import type { Ran, RunOptions } from "../support/cli-kit.ts";
import { commandHere } from "../support/command-here.ts";
import { API, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

describe("the commands of a secret's life", () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  const folder = process.cwd();
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
    process.chdir(kit.folder);
  });
  after(() => {
    process.chdir(folder);
    return kit.stop();
  });

  /**
   * Runs a command as the workload "api", in this process. Other tests run the same commands as processes. The arguments
   * are separated by spaces.
   */
  const run = (line: string, { env: more, input = "" }: RunOptions = {}): Promise<Ran> =>
    commandHere(line.split(" "), { input, env: { ...env, ...more } });

  /** Runs a command that succeeds, and returns its standard output. */
  async function ok(line: string, options: RunOptions = {}): Promise<string> {
    const ran = await run(line, options);
    assert.deepEqual([ran.code, ran.stderr], [0, ""], line);
    return ran.stdout.toString();
  }

  const json = async (line: string, options: RunOptions = {}) => JSON.parse(await ok(`${line} -o json`, options));

  /** The states of all versions of a secret. */
  async function states(path: string): Promise<Record<string, string>> {
    const { versions } = await json(`describe ${path}`);
    return Object.fromEntries(versions.map(({ version, state }: Record<string, unknown>) => [version, state]));
  }

  async function puts(path: string, ...values: readonly string[]): Promise<void> {
    for (const value of values) await ok(`put ${path} k=${value}`);
  }

  // ---- states

  it("deletes, undeletes and destroys versions", async () => {
    await puts("shop/api/states", "one", "two");
    assert.equal(await ok("delete shop/api/states --versions 1,2"), "shop/api/states deleted version 1, 2\n");
    assert.equal(await ok("undelete shop/api/states --versions 1"), "shop/api/states undeleted version 1\n");
    assert.equal(await ok("undelete shop/api/states"), "shop/api/states undeleted version 2\n");
    assert.equal(await ok("undelete shop/api/states"), "shop/api/states undeleted nothing: not deleted\n");
    assert.equal(await ok("get shop/api/states k"), "two");
    assert.equal(await ok("destroy shop/api/states --versions 1 --yes"), "shop/api/states destroyed version 1\n");
    assert.deepEqual(await states("shop/api/states"), { 1: "DESTROYED", 2: "LIVE" });
    const gone = await run("get shop/api/states --version 1");
    assert.equal(gone.code, 3);
    const refused = await run("undelete shop/api/states --versions 1");
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /destroyed.*\ncoffer: nothing was changed\n$/s);
  });

  it("describes who destroyed a version, and when", async () => {
    await puts("shop/api/destroyed", "one");
    await ok("destroy shop/api/destroyed --yes");
    const { versions } = await json("describe shop/api/destroyed");
    assert.equal(versions[0].destroyed_by, API);
    assert.match(versions[0].destroy_time, /^\d{4}-/);
    const shown = await ok("describe shop/api/destroyed");
    assert.match(shown, new RegExp(`^1 +DESTROYED +\\S+ +${API} +- +${versions[0].destroy_time} +${API}$`, "m"));
  });

  it("restores and copies on the server, and needs no value", async () => {
    await puts("shop/api/restored", "one", "two");
    assert.match(await ok("restore shop/api/restored 1"), /^shop\/api\/restored version 3 \(revision \d+\)\n$/);
    assert.equal(await ok("get shop/api/restored k"), "one");
    const copied = await json("cp shop/api/restored shop/shared/copied --version 2 --expected-version 0");
    assert.deepEqual([copied.path, copied.version], ["shop/shared/copied", 1]);
    assert.equal(await ok("get shop/shared/copied k"), "two");
    const again = await run("cp shop/api/restored shop/shared/copied --expected-version 0");
    assert.deepEqual([again.code, again.stdout.length], [5, 0]);
    const denied = await run("cp shop/api/restored shop/web/copied");
    assert.equal(denied.code, 4);
    assert.match(denied.stderr, /write shop\/web\/copied/);
  });

  // Copy and purge are one commit.
  it("moves the newest version, and purges the source", async () => {
    await puts("shop/api/moved", "one", "two");
    const answer = await json("mv shop/api/moved shop/shared/moved --yes");
    assert.deepEqual([answer.source, answer.target, answer.version], ["shop/api/moved", "shop/shared/moved", 1]);
    assert.equal(await ok("get shop/shared/moved k"), "two");
    assert.equal((await run("describe shop/api/moved")).code, 3);
    await puts("shop/api/moved", "three");
    const kept = await run("mv shop/api/moved shop/shared/moved --yes --expected-version 0");
    assert.equal(kept.code, 5);
    assert.match(kept.stderr, /^coffer: expected_version is 0 but the latest version of shop\/shared\/moved is 1\n/);
    assert.equal(await ok("get shop/api/moved k"), "three");
  });

  // The purge of the source would remove the copy.
  it("does not move a secret to itself", async () => {
    await puts("shop/api/itself", "one");
    const ran = await run("mv shop/api/itself shop/api/itself --yes");
    assert.deepEqual([ran.code, ran.stderr], [2, "coffer: the source and the target are the same secret\n"]);
    assert.equal(await ok("get shop/api/itself k"), "one");
  });

  it("purges a secret, and continues its version numbers", async () => {
    await puts("shop/api/purged", "one", "two");
    assert.match(
      await ok("purge shop/api/purged --yes"),
      /^shop\/api\/purged purged: its last version was 2 \(revision/,
    );
    assert.equal((await run("get shop/api/purged")).code, 3);
    assert.equal((await json("put shop/api/purged k=three")).version, 3);
  });

  // Standard input may be the input of a script. --yes is the control: see the tests above.
  it("refuses a change that can't be undone if there is neither a terminal nor --yes", async () => {
    await puts("shop/api/asked", "one", "two", "three");
    writeFileSync(join(kit.folder, "purge.yaml"), "operations: [{purge: {path: shop/api/asked}}]");
    writeFileSync(join(kit.folder, "prune.yaml"), "operations: [{metadata: {path: shop/api/asked, max_versions: 2}}]");
    const before = await ok("describe shop/api/asked -o json");
    for (const [line, change] of [
      ["destroy shop/api/asked", "destroy the newest version of shop/api/asked"],
      ["destroy shop/api/asked --versions 1,2", "destroy versions 1, 2 of shop/api/asked"],
      ["purge shop/api/asked", "purge shop/api/asked with all its versions"],
      [
        "mv shop/api/asked shop/api/other",
        "move the latest version of shop/api/asked to shop/api/other and purge shop/api/asked",
      ],
      ["metadata set shop/api/asked --max-versions 2", "remove the oldest 1 of the 3 versions of shop/api/asked"],
      ["commit -f purge.yaml", "purge shop/api/asked (operation 0)"],
      ["commit -f prune.yaml", "remove the oldest 1 of the 3 versions of shop/api/asked (operation 0)"],
    ] as const) {
      const ran = await run(line, { input: "y\n" });
      const stderr = `coffer: to ${change}, which can't be undone, use --yes; nothing was changed\n`;
      assert.deepEqual([ran.code, ran.stdout.toString(), ran.stderr], [2, "", stderr]);
    }
    const { store_revision: _, ...rest } = JSON.parse(before);
    const { store_revision: __, ...now } = await json("describe shop/api/asked");
    assert.deepEqual(now, rest);
    // A change of settings that removes no version needs no confirmation.
    await ok("metadata set shop/api/asked --max-versions 3");
    await ok("metadata set shop/api/asked --max-versions 2 --yes");
    assert.deepEqual(Object.keys(await states("shop/api/asked")), ["2", "3"]);
  });

  // ---- content

  it("patches keys without reading the others", async () => {
    await ok("put shop/api/patched a=1 b=2 c=3");
    assert.match(await ok("patch shop/api/patched b=- --remove c", { input: "two" }), /^shop\/api\/patched version 2 /);
    assert.deepEqual((await json("get shop/api/patched")).data, { a: "1", b: "two" });
    assert.match(await ok("patch shop/api/patched --remove nokey"), /^shop\/api\/patched version 3 /);
    assert.deepEqual((await json("get shop/api/patched")).data, { a: "1", b: "two" });
    const nothing = await run("patch shop/api/patched");
    assert.deepEqual([nothing.code, nothing.stderr], [2, "coffer: no key to change: expected key=value or --remove\n"]);
  });

  it("puts a flat JSON object from a file and from standard input", async () => {
    writeFileSync(join(kit.folder, "flat.json"), '{"user": "app", "port": 5432, "tls": true, "pem": "a\\nb\\n"}');
    await ok("put shop/api/flat --json flat.json");
    assert.deepEqual((await json("get shop/api/flat")).data, { user: "app", port: "5432", tls: "true", pem: "a\nb\n" });
    await ok("put shop/api/flat --json -", { input: '{"only": "this"}' });
    assert.deepEqual((await json("get shop/api/flat")).data, { only: "this" });
    for (const [line, input, stderr] of [
      ["put shop/api/flat --json -", '{"a": ["hunter2"]}', "standard input:1:7: a value must be a text"],
      ["put shop/api/flat --json -", '{"a": ""}', "the value of a is empty; use --allow-empty to store an empty value"],
      ["put shop/api/flat a=b --json -", "{}", "use either key=value or --json"],
      ["put shop/api/flat --json missing", "", "can't read the JSON object: missing does not exist"],
    ] as const) {
      const ran = await run(line, { input });
      assert.deepEqual([ran.code, ran.stderr], [2, `coffer: ${stderr}\n`]);
    }
  });

  it("puts versions that expire", async () => {
    const after = await json("put shop/api/expiring k=v --ttl 30d");
    const [created, expires] = [after.create_time, after.expire_time].map((time: string) => Date.parse(time));
    assert.equal(expires! - created!, 30 * 24 * 3_600_000);
    const at = await ok("put shop/api/expiring k=v --expire-time 2099-01-31T12:00:00Z");
    assert.match(at, /version 2 \(revision \d+\), expires 2099-01-31T12:00:00\.000Z\n$/);
    assert.equal((await json("get shop/api/expiring")).expire_time, "2099-01-31T12:00:00.000Z");
    await ok("put shop/api/expired k=v --ttl 1ms");
    const expired = await run("get shop/api/expired");
    assert.equal(expired.code, 3);
    assert.match(expired.stderr, /expired/);
    const [version] = (await json("describe shop/api/expired")).versions;
    assert.equal(version.state, "EXPIRED");
    assert.match(await ok("describe shop/api/expired"), new RegExp(`EXPIRED .* ${version.expire_time} .*-$`, "m"));
    for (const line of [
      "put shop/api/expiring k=v --ttl 1h --expire-time 2099-01-31T12:00:00Z",
      "put shop/api/expiring k=v --ttl 30",
      "put shop/api/expiring k=v --ttl 9999999d",
      "put shop/api/expiring k=v --expire-time tomorrow",
      "put shop/api/expiring k=v --expire-time 2001-01-31T12:00:00Z",
    ]) {
      assert.equal((await run(line)).code, 2, line);
    }
    assert.equal((await json("describe shop/api/expiring")).latest_version, 2);
  });

  it("shows which keys differ, and their values only on request", async () => {
    await ok("put shop/api/diff same=1 old=hunter1 changed=hunter2");
    await ok("put shop/api/diff same=1 new=hunter3 changed=hunter4");
    const table = await ok("diff shop/api/diff 1 2");
    assert.equal(table, "KEY      CHANGE\nchanged  changed\nnew      added\nold      removed\n");
    const values = await ok("diff shop/api/diff 1 2 --values");
    assert.match(values, /^changed +changed +hunter2 +hunter4$/m);
    assert.match(values, /^new +added +- +hunter3$/m);
    assert.doesNotMatch(await ok("diff shop/api/diff 1 2 -o json"), /hunter/);
    assert.deepEqual((await json("diff shop/api/diff 1 2 --values")).keys[2], {
      key: "old",
      change: "removed",
      before: "hunter1",
    });
    assert.deepEqual((await json("diff shop/api/diff 2 2")).keys, []);
    assert.equal((await run("diff shop/api/diff 1 9")).code, 3);
  });

  // ---- several secrets

  it("reads keys of a secret, and several secrets together", async () => {
    await ok("put shop/api/m/a x=1 y=2 z=3");
    await ok("put shop/api/m/b x=4");
    assert.deepEqual((await json("get shop/api/m/a --keys x,z")).data, { x: "1", z: "3" });
    assert.equal((await run("get shop/api/m/a --keys x,nokey")).code, 3);
    assert.equal(
      await ok("get shop/api/m/a shop/api/m/b"),
      "PATH          VERSION  KEY  VALUE\n" +
        "shop/api/m/a  1        x    1\nshop/api/m/a  1        y    2\nshop/api/m/a  1        z    3\n" +
        "shop/api/m/b  1        x    4\n",
    );
    const batch = await json("get shop/api/m/b --batch");
    assert.deepEqual(batch.entries[0].data, { x: "4" });
    assert.equal(typeof batch.store_revision, "number");
  });

  it("prints the secrets that can be read and the errors of the others, and exits with the code of the first error", async () => {
    await ok("put shop/api/m/c x=5");
    const ran = await run("get shop/api/m/c shop/api/m/none shop/web/x -o json");
    assert.equal(ran.code, 3);
    assert.match(
      ran.stderr,
      /^coffer: there is no secret at shop\/api\/m\/none\ncoffer: no rule allows .* shop\/web\/x\n$/,
    );
    const { entries } = JSON.parse(ran.stdout.toString());
    assert.deepEqual(entries[0].data, { x: "5" });
    assert.deepEqual(
      entries.slice(1).map((entry: { path: string; error: { reason: string } }) => [entry.path, entry.error.reason]),
      [
        ["shop/api/m/none", "SECRET_NOT_FOUND"],
        ["shop/web/x", "ACCESS_DENIED"],
      ],
    );
  });

  it("lists folders, labels and deleted secrets", async () => {
    await puts("shop/api/l/one", "1");
    await puts("shop/api/l/deep/two", "2");
    await puts("shop/api/l/gone", "3");
    await ok("delete shop/api/l/gone");
    await ok("metadata set shop/api/l/one --labels team=shop,env=prod");
    const paths = async (line: string) =>
      (await json(line)).map((entry: { path?: string; prefix?: string }) => entry.path ?? entry.prefix);
    assert.deepEqual(await paths("list shop/api/l/ --delimiter /"), ["shop/api/l/deep/", "shop/api/l/one"]);
    assert.deepEqual(await paths("list shop/api/l/"), ["shop/api/l/deep/two", "shop/api/l/one"]);
    assert.deepEqual(await paths("list shop/api/l/ --labels team=shop --labels env=prod"), ["shop/api/l/one"]);
    assert.deepEqual(await paths("list shop/api/l/ --labels team=web"), []);
    assert.match(await ok("list shop/api/l/"), /^PATH +VERSION +UPDATED +LABELS$/m);
    assert.match(await ok("list shop/api/l/ --show-deleted"), /^shop\/api\/l\/gone +1 +\S+ +DELETED$/m);
    assert.match(await ok("list shop/api/l/ --delimiter /"), /^shop\/api\/l\/deep\/$/m);
    assert.equal((await run("list --labels team")).code, 2);
    assert.equal((await run("list --delimiter .")).code, 2);
  });

  // ---- settings

  it("shows and changes settings", async () => {
    const path = "shop/api/settings";
    await ok(`metadata set ${path} --max-versions 20 --labels a=b,c=d --default-ttl 36h --cas-required`);
    await commandHere(["metadata", "set", path, "--description", "two words"], { env });
    assert.equal(
      await ok(`metadata get ${path}`),
      "SETTING       VALUE\nmax-versions  20\nlabels        a=b,c=d\ndescription   two words\n" +
        "default-ttl   36h\ncas-required  yes\n",
    );
    await ok(`metadata set ${path} --remove-labels a --default-ttl 0s --no-cas-required`);
    const { store_revision: _, ...settings } = await json(`metadata get ${path}`);
    assert.deepEqual(settings, {
      path,
      max_versions: 20,
      labels: { c: "d" },
      description: "two words",
      cas_required: false,
    });
    assert.equal((await run(`metadata set ${path}`)).code, 2);
    assert.match(
      await ok(`describe ${path}`),
      /^shop\/api\/settings: no version, at most 20 are retained\nno watchers\nlabels +c=d\n/,
    );
  });

  it("says what to do if a secret needs --expected-version", async () => {
    await ok("metadata set shop/api/cas --cas-required");
    const ran = await run("put shop/api/cas k=v");
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /\ncoffer: nothing was changed: .* use --expected-version\n$/);
    await ok("put shop/api/cas k=v --expected-version 0");
  });

  // ---- commits

  it("commits a file with values from files and variables", async () => {
    await puts("shop/api/c/old", "old");
    mkdirSync(join(kit.folder, "changes"));
    writeFileSync(join(kit.folder, "changes", "value"), Buffer.from([0xff, 0]));
    writeFileSync(
      join(kit.folder, "changes", "commit.yaml"),
      `operations:
  - put:
      path: shop/api/c/new
      data: {inline: text, from_file: {file: value}, from_variable: {env: THE_TOKEN}, bytes: {base64: AAE=}}
      ttl: 1h
  - patch: {path: shop/api/c/new, data: {inline: patched}}
  - copy: {source: shop/api/c/old, target: shop/api/c/copy, expected_version: 0}
  - delete: {path: shop/api/c/old}
  - metadata: {path: shop/api/c/new, labels: {team: shop}}
guards:
  - {path: shop/api/c/never, expected_version: 0}
`,
    );
    const shown = await ok("commit -f changes/commit.yaml", { env: { THE_TOKEN: "s3cret" } });
    assert.match(shown, /^0 +shop\/api\/c\/new +version 1, expires \S+$/m);
    assert.match(shown, /^1 +shop\/api\/c\/new +version 2$/m);
    assert.match(shown, /^3 +shop\/api\/c\/old +version 1$/m);
    assert.match(shown, /^4 +shop\/api\/c\/new +settings changed\ncommitted as revision \d+$/m);
    const { data, binary_data } = await json("get shop/api/c/new");
    assert.deepEqual(data, { inline: "patched", from_variable: "s3cret" });
    assert.deepEqual(binary_data, { from_file: "/wA=", bytes: "AAE=" });
    assert.equal(await ok("get shop/api/c/copy k"), "old");
    assert.deepEqual(await states("shop/api/c/old"), { 1: "DELETED" });
  });

  it("commits all or nothing, and names the operation that was refused", async () => {
    const commit = (text: string) => run("commit -f - --yes", { input: text });
    await puts("shop/api/c/kept", "kept");
    for (const [second, code, message] of [
      ["{restore: {path: shop/api/c/kept, version: 9}}", 3, /^coffer: operation 1: /],
      ["{purge: {path: shop/api/c/kept, expected_version: 7}}", 5, /^coffer: operation 1: /],
      ["{put: {path: shop/web/x, data: {k: v}}}", 4, /^coffer: operation 1: /],
      ["{put: {path: shop//x, data: {k: v}}}", 2, /^coffer: operation 1: path contains an empty segment/],
      [
        "{put: {path: shop/api/x, data: {k: {file: missing}}}}",
        2,
        /^coffer: operation 1 \(put\): can't read the value of k: missing does not exist$/m,
      ],
      [
        "{put: {path: shop/api/x, data: {k: {env: NOT_SET}}}}",
        2,
        /^coffer: operation 1 \(put\): can't read the value of k: NOT_SET is not set$/m,
      ],
      ['{put: {path: shop/api/x, data: {k: ""}}}', 2, /^coffer: operation 1 \(put\): the value of k is empty/],
      [
        "{put: {path: shop/api/x, value: {k: v}}}",
        2,
        /^coffer: standard input:1:\d+: operation 1 \(put\): unknown field/,
      ],
    ] as const) {
      const ran = await commit(`operations: [{put: {path: shop/api/c/half, data: {k: v}}}, ${second}]`);
      assert.match(ran.stderr, message);
      assert.equal(ran.code, code, ran.stderr);
      assert.equal(ran.stdout.length, 0);
    }
    const guarded = await commit(
      "operations: [{purge: {path: shop/api/c/kept}}]\nguards: [{path: shop/api/c/kept2, expected_version: 1}]",
    );
    assert.equal(guarded.code, 5);
    assert.match(guarded.stderr, /^coffer: guard 0: /);
    assert.equal((await run("get shop/api/c/half")).code, 3);
    assert.equal(await ok("get shop/api/c/kept k"), "kept");
    // The control: the same file without a mistake.
    assert.equal((await commit("operations: [{put: {path: shop/api/c/half, data: {k: v}}}]")).code, 0);
    assert.equal(await ok("get shop/api/c/half k"), "v");
  });

  // ---- repeated requests

  // A script whose command has exited with 8 repeats it with the same id.
  it("applies a change with a request id once", async () => {
    const id = "0197a3a0-0000-4000-8000-000000000001";
    const first = await json(`put shop/api/once k=v --request-id ${id}`);
    const again = await json(`put shop/api/once k=v --request-id ${id}`);
    assert.deepEqual([again.version, again.revision], [first.version, first.revision]);
    assert.equal((await json("describe shop/api/once")).latest_version, 1);
    const other = await run(`put shop/api/once k=w --request-id ${id}`);
    assert.equal(other.code, 2);
    assert.equal((await run("put shop/api/once k=v --request-id 1")).code, 2);
  });

  /**
   * Starts a relay to the server. As soon as it has received a large request, it passes on no answer; it closes the
   * connection when the server has logged the call. Returns its address.
   */
  async function losingAnswers(t: TestContext, requestBytes: number): Promise<string> {
    const calls = () => kit.log.filter(({ event }) => event === "call").length;
    const relay = createServer((client) => {
      assert.ok(kit.address.kind === "tcp");
      const server = connect(kit.address.port, kit.address.host);
      const before = calls();
      let sent = 0;
      client.on("data", (chunk) => {
        sent += chunk.length;
        server.write(chunk);
        if (sent >= requestBytes) void until("the call is logged", () => calls() > before).then(() => client.destroy());
      });
      server.on("data", (chunk) => sent < requestBytes && client.write(chunk));
      client.on("error", () => {}).on("close", () => server.destroy());
      server.on("error", () => {}).on("close", () => client.destroy());
    }).listen(0, "127.0.0.1");
    t.after(() => relay.close());
    await once(relay, "listening");
    return `127.0.0.1:${(relay.address() as AddressInfo).port}`;
  }

  // The server has committed the change, and the command can't know that.
  it("names the request id with which a change of unknown outcome can be repeated", async (t) => {
    const input = "x".repeat(40_000);
    const line = "put shop/api/lost k=-";
    const lost = await run(`${line} --addr ${await losingAnswers(t, input.length)}`, { input });
    assert.equal(lost.code, 8, lost.stderr);
    const message =
      /^coffer: the change may have been applied: check with coffer describe, or retry with (--request-id \S+)\n$/m;
    const [, flag] = message.exec(lost.stderr) ?? [];
    assert.ok(flag, lost.stderr);
    const repeated = await json(`${line} ${flag}`, { input });
    assert.equal(repeated.version, 1);
    const { versions } = await json("describe shop/api/lost");
    assert.deepEqual([versions.length, versions[0].revision], [1, repeated.revision]);
    // The control: without the request id, there is another version.
    assert.equal((await json(line, { input })).version, 2);
  });

  // Every user of the machine can read a command line, and logs are kept.
  it("shows no value in an error, and logs none", async () => {
    await puts("shop/api/quiet", "hunter2");
    for (const line of ["diff shop/api/quiet 1 9 --values", "patch shop/api/quiet x=hunter2 --expected-version 9"]) {
      const ran = await run(line);
      assert.notEqual(ran.code, 0);
      assert.doesNotMatch(ran.stderr, /hunter2/);
    }
    await kit.settled();
    assert.doesNotMatch(JSON.stringify(kit.log), /hunter2/);
    // The control: the log has these calls.
    assert.ok(kit.log.some(({ method, code }) => method === "/coffer.v1.Secrets/Patch" && code === "ABORTED"));
  });

  it("denies changes that the policy does not allow, and changes nothing", async () => {
    await ok("put shop/shared/denied k=v");
    const web = callerVariables(kit, WEB, "web");
    for (const line of [
      "patch shop/shared/denied k=w",
      "undelete shop/shared/denied",
      "destroy shop/shared/denied --yes",
      "purge shop/shared/denied --yes",
      "restore shop/shared/denied 1",
      "cp shop/shared/denied shop/web/x",
      "mv shop/shared/denied shop/web/x --yes",
      "metadata set shop/shared/denied --description x",
      "metadata get shop/shared/denied",
      "metadata set shop/shared/denied --max-versions 1 --yes",
    ]) {
      const ran = await run(line, { env: web });
      assert.equal(ran.code, 4, `${line}: ${ran.stderr}`);
    }
    assert.deepEqual(await states("shop/shared/denied"), { 1: "LIVE" });
  });
});
