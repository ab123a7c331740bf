import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { ofThisFile } from "../support/children.ts";
import { callerVariables } from "../support/cli-caller.ts";
import { PROGRAM, type Ran, type RunOptions, coffer, runToEnd } from "../support/cli-kit.ts";
import { API, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const MEMORY = "/dev/shm";
const TMPFS = 0x01021994;
const isInMemory = existsSync(MEMORY) && statfsSync(MEMORY).type === TMPFS;
const hasTerminals = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;
const hasVim = spawnSync("vim", ["--version"]).status === 0;

// The editors of these tests are shell scripts. A real editor runs on a pseudo-terminal in the last tests.
describe("coffer edit", { skip: !isInMemory && `${MEMORY} is not a tmpfs` }, () => {
  let kit: ServerKit;
  let env: Record<string, string>;
  /** A folder in memory for each test, in which nothing may remain. */
  let memory: string;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
  });
  after(() => kit.stop());
  beforeEach(() => {
    memory = mkdtempSync(`${MEMORY}/coffer-test-`);
  });
  afterEach(() => {
    assert.deepEqual(readdirSync(memory), []);
    rmSync(memory, { recursive: true });
  });

  const run = (words: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    coffer(words, { cwd: kit.folder, ...options, env: { ...env, XDG_RUNTIME_DIR: memory, ...options.env } });

  /** Writes a script that edits the file "$1", and returns its name. */
  function editor(name: string, script: string): string {
    const file = join(kit.folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  async function put(path: string, ...words: readonly string[]): Promise<void> {
    assert.equal((await run(["put", path, ...words])).code, 0);
  }

  const data = async (path: string) => JSON.parse((await run(["get", path, "-o", "json"])).stdout.toString());

  it("writes what the editor saves, and leaves no file", async () => {
    await put("shop/api/e/a", "user=app", "password=old");
    const seen = join(kit.folder, "seen");
    const script = editor(
      "sed.sh",
      `cp "$1" ${seen}; stat -c '%a %n' "$1" "$(dirname "$1")" >${seen}.modes; sed -i s/old/new/ "$1"`,
    );
    const ran = await run(["edit", "shop/api/e/a"], { env: { EDITOR: script } });
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    assert.match(ran.stdout.toString(), /^shop\/api\/e\/a version 2 \(revision \d+\)\n$/);
    assert.deepEqual((await data("shop/api/e/a")).data, { user: "app", password: "new" });
    assert.match(readFileSync(seen, "utf8"), /^user: app\npassword: old\n$/m);
    const modes = readFileSync(`${seen}.modes`, "utf8");
    assert.match(modes, new RegExp(`^600 ${memory}/coffer-\\w+/shop-api-e-a\\.yaml\n700 ${memory}/coffer-\\w+\n$`));
  });

  it("prefers $VISUAL to $EDITOR, and passes the arguments in it", async () => {
    await put("shop/api/e/b", "k=old");
    const script = editor("args.sh", 'test "$1" = --wait && sed -i s/old/new/ "$2"');
    const ran = await run(["edit", "shop/api/e/b"], { env: { VISUAL: `${script} --wait`, EDITOR: "false" } });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal((await data("shop/api/e/b")).data.k, "new");
  });

  it("writes no version if nothing was changed", async () => {
    await put("shop/api/e/c", "k=v");
    const ran = await run(["edit", "shop/api/e/c"], { env: { EDITOR: editor("touch.sh", 'echo "# note" >>"$1"') } });
    assert.deepEqual([ran.code, ran.stdout.toString()], [0, "shop/api/e/c is unchanged: version 1\n"]);
    assert.equal((await data("shop/api/e/c")).version, 1);
  });

  // The editor of this test makes another change to the secret while it runs.
  it("changes nothing after a conflict, does not keep the edit, and says what to do", async () => {
    await put("shop/api/e/d", "k=old");
    const line = `"${process.execPath}" "${PROGRAM}" put shop/api/e/d k=other >/dev/null`;
    const script = editor("conflict.sh", `sed -i s/old/hunter2/ "$1"; ${line}`);
    const ran = await run(["edit", "shop/api/e/d"], { env: { EDITOR: script } });
    assert.equal(ran.code, 5);
    assert.equal(
      ran.stderr,
      "coffer: version 2 of shop/api/e/d was written while you edited version 1\n" +
        "coffer: nothing was changed, and your edit was not kept: " +
        "see coffer diff shop/api/e/d 1 2, and repeat coffer edit shop/api/e/d\n",
    );
    assert.equal((await data("shop/api/e/d")).data.k, "other");
  });

  it("changes nothing if the editor fails, or if its document can't be read", async () => {
    await put("shop/api/e/f", "k=v");
    for (const [name, script, code, stderr] of [
      [
        "fails.sh",
        'echo "k: hunter2" >"$1"; exit 3',
        1,
        /^coffer: the editor \S+fails\.sh ended with status 3; nothing was changed\n$/,
      ],
      ["invalid.sh", 'echo "k: [hunter2" >"$1"', 2, /^coffer: line:\d+:\d+: .*\n$/],
      ["empty.sh", ': >"$1"', 2, /^coffer: the document has no key; a secret has at least one\n$/],
    ] as const) {
      const ran = await run(["edit", "shop/api/e/f"], { env: { EDITOR: editor(name, script) } });
      assert.equal(ran.code, code, name);
      assert.match(ran.stderr, stderr);
      assert.doesNotMatch(ran.stderr, /hunter2/);
    }
    const missing = await run(["edit", "shop/api/e/f"], { env: { EDITOR: "/nowhere/editor" } });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /the editor \/nowhere\/editor ended with status 127; nothing was changed\n$/);
    assert.equal((await data("shop/api/e/f")).version, 1);
  });

  it("removes copies that the editor leaves", async () => {
    await put("shop/api/e/g", "k=old");
    const script = editor(
      "copies.sh",
      'cp "$1" "$1~"; mkdir "$(dirname "$1")/x"; cp "$1" "$(dirname "$1")/x"; sed -i s/old/new/ "$1"',
    );
    assert.equal((await run(["edit", "shop/api/e/g"], { env: { EDITOR: script } })).code, 0);
    assert.equal((await data("shop/api/e/g")).data.k, "new");
  });

  // The control is every test above: they use the same command with a folder in memory. In the namespace of this test,
  // neither candidate is a tmpfs.
  const canMount = spawnSync("unshare", ["--mount", "mount", "-t", "proc", "proc", MEMORY]).status === 0;
  it("refuses a folder on a disk", { skip: !canMount && "needs root and a mount namespace" }, async () => {
    await put("shop/api/e/h", "k=v");
    const never = join(kit.folder, "never");
    const shell = `mount -t proc proc ${MEMORY} && exec "$0" "$@"`;
    const words = ["--mount", "sh", "-c", shell, process.execPath, PROGRAM, "edit", "shop/api/e/h"];
    const variables = { EDITOR: editor("never.sh", `touch ${never}`), XDG_RUNTIME_DIR: "/proc" };
    const ran = await runToEnd("unshare", words, { cwd: kit.folder, env: { ...env, ...variables } });
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(
      ran.stderr,
      /^coffer: edit needs a folder in memory that you can write to \(tmpfs\), and \/proc and \/dev\/shm/,
    );
    assert.ok(!existsSync(never));
  });

  it("removes the file at SIGTERM, and ends the editor", async () => {
    await put("shop/api/e/i", "k=v");
    const script = editor("waits.sh", `echo $$ >${join(kit.folder, "editor-pid")}; exec sleep 600`);
    const child = ofThisFile(
      spawn(process.execPath, [PROGRAM, "edit", "shop/api/e/i"], {
        env: { ...env, PATH: process.env["PATH"], EDITOR: script, XDG_RUNTIME_DIR: memory },
        stdio: "ignore",
      }),
    );
    await until(
      "the editor has started",
      () => existsSync(join(kit.folder, "editor-pid")) && readdirSync(memory).length === 1,
    );
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    assert.equal(code, 143);
  });

  it("keeps the bytes of values that were not edited", async () => {
    writeFileSync(join(kit.folder, "bytes"), Buffer.from([0, 255, 10]));
    await put("shop/api/e/j", "binary=@bytes", "text=a #b: \u0007\r\n\ttail ", "k=old");
    const ran = await run(["edit", "shop/api/e/j"], {
      env: { EDITOR: editor("k.sh", 'sed -i "s/k: old/k: new/" "$1"') },
    });
    assert.equal(ran.code, 0, ran.stderr);
    const { data: texts, binary_data } = await data("shop/api/e/j");
    assert.deepEqual(texts, { text: "a #b: \u0007\r\n\ttail ", k: "new" });
    assert.deepEqual(binary_data, { binary: "AP8K" });
  });

  it("warns if the edited version expires and the new one does not", async () => {
    await put("shop/api/e/l", "k=old", "--expire-time", "2099-01-31T12:00:00Z");
    const EDITOR = editor("expiry.sh", 'sed -i s/old/new/ "$1"');
    const ran = await run(["edit", "shop/api/e/l"], { env: { EDITOR } });
    assert.equal(
      ran.stderr,
      "coffer warning: version 1 expires at 2099-01-31T12:00:00.000Z; version 2 does not expire; " +
        "use --ttl or --expire-time\n",
    );
    await put("shop/api/e/l", "k=old", "--ttl", "1h");
    const kept = await run(["edit", "shop/api/e/l", "--ttl", "1h"], { env: { EDITOR } });
    assert.deepEqual([kept.code, kept.stderr], [0, ""]);
    assert.match((await data("shop/api/e/l")).expire_time, /^\d/);
  });

  // ---- on a terminal

  const onTerminal = (line: string, answer: (shown: string) => string | undefined, variables: Record<string, string>) =>
    runToEnd("script", ["-qec", `"${process.execPath}" "${PROGRAM}" ${line}`, "/dev/null"], {
      cwd: kit.folder,
      env: { ...env, TERM: "xterm", XDG_RUNTIME_DIR: memory, ...variables },
      answer,
    });

  it("offers to correct a document that can't be read", { skip: !hasTerminals && "no script(1)" }, async () => {
    await put("shop/api/e/m", "k=old");
    const script = editor(
      "twice.sh",
      'grep -q "k: .new" "$1" && sed -i "s/.new/new/" "$1" || sed -i "s/old/[new/" "$1"',
    );
    const ran = await onTerminal("edit shop/api/e/m", (shown) => (/\[Y\/n\] /.test(shown) ? "\r" : undefined), {
      EDITOR: script,
    });
    assert.equal(ran.code, 0, ran.stdout.toString());
    assert.match(ran.stdout.toString(), /line:\d+:\d+: .*Do you want to edit it again\? \[Y\/n\] /s);
    assert.equal((await data("shop/api/e/m")).data.k, "new");
  });

  // Vim writes swap files, backups, undo files and its history, each of them to a disk in this configuration.
  it("makes Vim write no copies", { skip: !(hasTerminals && hasVim) && "no vim or no script(1)" }, async () => {
    await put("shop/api/e/n", "k=hunter2");
    const home = mkdtempSync(join(kit.folder, "home-"));
    const rc = [
      "undofile",
      "undodir=~",
      "backup",
      "backupdir=~",
      "directory=~",
      "viminfo='100,<50,s10,h",
      "nocompatible",
    ];
    writeFileSync(join(home, ".vimrc"), rc.map((option) => `set ${option}\n`).join(""));
    const edit = async (editor: string, before: string, after: string) => {
      const typed = [`:%s/${before}/${after}/\r:yank\r:w\r:q\r`];
      const answer = (shown: string) => (shown.includes(before) ? typed.shift() : undefined);
      const ran = await onTerminal("edit shop/api/e/n", answer, { HOME: home, EDITOR: editor });
      assert.equal(ran.code, 0, ran.stdout.toString());
      assert.equal((await data("shop/api/e/n")).data.k, after);
      return readdirSync(home);
    };
    assert.deepEqual(await edit("vim", "hunter2", "hunter3"), [".vimrc"]);
    // The control: under a name that is not recognized, Vim gets no options.
    const unknown = await edit(editor("unknown.sh", 'exec vim "$@"'), "hunter3", "hunter4");
    assert.ok(unknown.length > 2, unknown.join(" "));
  });
});
