import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { after, describe, it } from "node:test";
import { editContent } from "../../../src/cli/edit/edit-session.ts";
import { editorOf, privacyOptions, runEditor } from "../../../src/cli/edit/editor.ts";
import { withMemoryFolder } from "../../../src/cli/edit/memory-folder.ts";
import type { Secret } from "../../../src/client/read-secret.ts";
import { Content } from "../../../src/domain/content.ts";
import type { World } from "../../../src/process/world.ts";

const TMPFS = 0x01021994;
const EXT4 = 0xef53;

describe("a folder in memory", () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "coffer-memory-")));
  after(() => rmSync(base, { recursive: true }));
  const env = { XDG_RUNTIME_DIR: base };
  const onlyBase = async (folder: string) => (folder === base ? TMPFS : EXT4);

  it("can be entered only by its owner, and is removed with its files", async () => {
    const folder = await withMemoryFolder(
      env,
      async (created) => {
        assert.equal(dirname(created), base);
        assert.equal(statSync(created).mode & 0o777, 0o700);
        // An editor may leave files and folders that it has created.
        mkdirSync(join(created, "left"));
        writeFileSync(join(created, "left", "copy~"), "s3cret");
        return created;
      },
      onlyBase,
    );
    assert.ok(!existsSync(folder));
  });

  it("is removed when its use fails", async () => {
    let folder = "";
    const failing = withMemoryFolder(
      env,
      async (created) => {
        folder = created;
        throw new Error("failed");
      },
      onlyBase,
    );
    await assert.rejects(failing, /failed/);
    assert.notEqual(folder, "");
    assert.ok(!existsSync(folder));
  });

  it("is the next candidate if the first is on a disk, is missing, or is relative", async () => {
    const asked: string[] = [];
    const inMemory = async (folder: string) => {
      asked.push(folder);
      return EXT4;
    };
    for (const first of [base, "/nowhere/coffer", "relative", ""]) {
      const refused = withMemoryFolder({ XDG_RUNTIME_DIR: first }, async () => assert.fail("used"), inMemory);
      await assert.rejects(
        refused,
        /^CommandFailed: edit needs a folder in memory .* \(tmpfs\), and .*\/dev\/shm can't be used/,
      );
    }
    assert.deepEqual(asked, [base, "/dev/shm", "/nowhere/coffer", "/dev/shm", "/dev/shm", "/dev/shm"]);
  });

  // Anything else would write the secret to a disk.
  it("is refused, with exit code 2, if no candidate is in memory", async () => {
    for (const typeOf of [async () => EXT4, () => Promise.reject(new Error("ENOENT"))]) {
      const refused = withMemoryFolder(env, async () => assert.fail("used"), typeOf);
      await assert.rejects(refused, { name: "CommandFailed", outcome: "usage" });
    }
  });
});

describe("a session", () => {
  const memory = mkdtempSync("/dev/shm/coffer-session-");
  const folder = mkdtempSync(join(tmpdir(), "coffer-session-"));
  after(() => {
    rmSync(memory, { recursive: true });
    rmSync(folder, { recursive: true });
  });
  const content = Content.unchecked([{ key: "k", kind: "text", value: Buffer.from("v") }]);
  const secret: Secret = {
    kind: "secret",
    path: "a/b",
    version: 1,
    revision: 1,
    createTime: 0,
    expireTime: undefined,
    content,
    storeRevision: 1,
  };

  /** A terminal of a process that can get signals. `onQuestion` is called once, when a question is shown. */
  function worldWith(editor: string, onQuestion: (world: EventEmitter) => void) {
    const script = join(folder, "editor");
    writeFileSync(script, `#!/bin/sh\n${editor}\n`, { mode: 0o755 });
    const world = new EventEmitter();
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    const stderr = Object.assign(new PassThrough(), { isTTY: true });
    let shown = "";
    stderr.on("data", (chunk) => {
      const before = shown;
      shown += chunk;
      if (shown.includes("[Y/n] ") && !before.includes("[Y/n] ")) setImmediate(onQuestion, world);
    });
    const env = { PATH: process.env["PATH"], EDITOR: script, XDG_RUNTIME_DIR: memory };
    return Object.assign(world, { stdin, stderr, stdout: new PassThrough(), env, shown: () => shown });
  }

  // Without its own handling, SIGHUP of a closed terminal would end the process and leave the file.
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    it(`removes its file at ${signal} while it asks whether to edit again`, async () => {
      let files: string[] = [];
      const world = worldWith('echo "k: [" >"$1"', (asking) => {
        files = readdirSync(memory);
        asking.emit(signal, signal);
      });
      await assert.rejects(editContent(secret, world as unknown as World), {
        name: "ExitStatus",
        message: `ended by ${signal}; nothing was changed`,
      });
      assert.equal(files.length, 1);
      assert.deepEqual(readdirSync(memory), []);
      assert.deepEqual(world.eventNames(), []);
    });
  }

  // The control: without a signal, the session ends at the answer no.
  it("ends with the problem if the answer is no, and removes its file", async () => {
    const world = worldWith('echo "k: [" >"$1"', () => world.stdin.write("n\r"));
    await assert.rejects(editContent(secret, world as unknown as World), { name: "CommandFailed", outcome: "usage" });
    assert.deepEqual(readdirSync(memory), []);
    assert.match(world.shown(), /^coffer: line:\d+:\d+: /);
  });
});

describe("the editor", () => {
  it("is $VISUAL, then $EDITOR, then vi", () => {
    assert.equal(editorOf({ VISUAL: "a -w", EDITOR: "b" }), "a -w");
    assert.equal(editorOf({ VISUAL: "", EDITOR: "b" }), "b");
    assert.equal(editorOf({}), "vi");
  });

  // vi is a link to Vim on many systems, and BusyBox's vi does not know Vim's options.
  it("is asked to write no copies if it is Vim or Neovim, also under another name", () => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-editor-"));
    try {
      for (const name of ["vim.basic", "nvim", "busybox", "nano"]) {
        writeFileSync(join(folder, name), "");
        chmodSync(join(folder, name), 0o755);
      }
      symlinkSync(join(folder, "vim.basic"), join(folder, "vi"));
      symlinkSync(join(folder, "busybox"), join(folder, "ex"));
      const env = { PATH: `/nowhere:${folder}` };
      const isAsked = (editor: string) => privacyOptions(editor, env).includes("NONE");
      for (const editor of ["vi", "nvim", "vi -u NONE", join(folder, "vi"), "vim"]) assert.ok(isAsked(editor), editor);
      for (const editor of ["ex", "nano", "code --wait", "missing"]) assert.ok(!isAsked(editor), editor);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("fails with the wording of other programs if the shell can't be run", async () => {
    const { signal } = new AbortController();
    const message = "the editor nano failed: can't run sh: program not found; nothing was changed";
    await assert.rejects(runEditor("file", { env: { PATH: "/nowhere", EDITOR: "nano" } }, signal), { message });
    // The control: with a shell, the editor is run.
    const env = { PATH: process.env["PATH"], EDITOR: "true" };
    await runEditor("file", { env }, signal);
  });
});
