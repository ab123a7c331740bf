import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { PrivateFileError, privacyProblem, readPrivateFile } from "../../../src/files/private-file.ts";

const ROOT = 0;
const USER = 1000;
const GROUP = 2000;

/** The readers in these tests. */
const AS_USER = { uid: USER, gid: USER };
const AS_ROOT = { uid: ROOT, gid: ROOT };

describe("privacyProblem", () => {
  const PRIVATE: readonly [uid: number, mode: number][] = [
    [USER, 0o600],
    [USER, 0o400],
    [USER, 0o700],
    [ROOT, 0o600],
    [ROOT, 0o640],
    [ROOT, 0o440],
    [USER, 0o100400],
  ];
  for (const [uid, mode] of PRIVATE) {
    it(`accepts mode ${mode.toString(8)} of user ${uid}`, () => {
      assert.equal(privacyProblem({ uid, gid: GROUP, mode }, "key", AS_USER), undefined);
    });
  }

  // The owner of a file can read and replace it. So root must not use a file of another user either.
  it("refuses a file of another user", () => {
    assert.match(
      privacyProblem({ uid: USER, gid: GROUP, mode: 0o600 }, "key", AS_ROOT) ?? "",
      /^belongs to another user than this process, uid 0 \(owner uid 1000, gid 2000, mode 0600\); run: chown 0 key$/,
    );
    assert.equal(privacyProblem({ uid: ROOT, gid: GROUP, mode: 0o600 }, "key", AS_ROOT), undefined);
  });

  // With chmod alone, the reader would lose access too.
  it("suggests a chown to the reader before the chmod, for a file of a third user", () => {
    const said = privacyProblem({ uid: 3000, gid: GROUP, mode: 0o644 }, "key", AS_USER);
    assert.match(said ?? "", /open to every user .*; run: chown 1000 key && chmod 0600 key$/);
  });

  // A reader other than root could not read a file of root with mode 0600.
  it("suggests giving the reader's group access to a file of root", () => {
    const command = "chown root:1000 key && chmod 0440 key - or, in Kubernetes, defaultMode: 0440 and fsGroup: 1000";
    const said = privacyProblem({ uid: ROOT, gid: ROOT, mode: 0o644 }, "key", AS_USER);
    assert.ok(said?.endsWith(`; run: ${command}`), said);
    assert.match(privacyProblem({ uid: ROOT, gid: ROOT, mode: 0o644 }, "key", AS_ROOT) ?? "", /run: chmod 0600 key$/);
  });

  const OPEN: readonly [uid: number, mode: number, said: RegExp][] = [
    [USER, 0o640, /read by its group .*chmod 0600 key .*chown root key/],
    [USER, 0o440, /read by its group/],
    [USER, 0o660, /changed by its group .*chmod 0600 key$/],
    [ROOT, 0o660, /changed by its group/],
    [ROOT, 0o620, /changed by its group/],
    [ROOT, 0o644, /open to every user .*chmod 0440 key/],
    [ROOT, 0o604, /open to every user/],
    [ROOT, 0o602, /open to every user/],
    [USER, 0o777, /open to every user/],
  ];
  for (const [uid, mode, said] of OPEN) {
    it(`refuses mode ${mode.toString(8)} of user ${uid}`, () => {
      assert.match(privacyProblem({ uid, gid: GROUP, mode }, "key", AS_USER) ?? "", said);
      assert.match(
        privacyProblem({ uid, gid: GROUP, mode }, "key", AS_USER) ?? "",
        new RegExp(`\\(owner uid ${uid}, gid 2000, mode 0${mode.toString(8)}\\)`),
      );
    });
  }

  // Swarm mounts secrets as files of root with mode 0444. No command in the container can change this, so none is
  // printed.
  it("explains how to give a user access to a Docker secret", () => {
    const file = "/run/secrets/root.key";
    for (const [uid, mode] of [
      [ROOT, 0o444],
      [ROOT, 0o464],
      [GROUP, 0o440],
      [GROUP, 0o400],
    ] as const) {
      const said = privacyProblem({ uid, gid: ROOT, mode }, file, AS_USER) ?? "";
      assert.match(
        said,
        /; it is a Docker secret: give the service the secret with uid: "1000" and mode: 0400; Compose/,
      );
      assert.doesNotMatch(said, /chown|chmod/);
    }
    assert.match(
      privacyProblem({ uid: ROOT, gid: ROOT, mode: 0o444 }, "/etc/root.key", AS_USER) ?? "",
      /chown root:1000/,
    );
    // The result of the advice is accepted.
    assert.equal(privacyProblem({ uid: USER, gid: ROOT, mode: 0o400 }, file, AS_USER), undefined);
  });

  it("quotes file names in commands", () => {
    assert.match(
      privacyProblem({ uid: USER, gid: GROUP, mode: 0o644 }, "my key's", AS_USER) ?? "",
      /chmod 0600 'my key'\\''s'$/,
    );
  });
});

describe("readPrivateFile", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-private-"));
  after(() => rmSync(folder, { recursive: true }));

  function problem(file: string): string {
    try {
      readPrivateFile(file);
      return "none";
    } catch (error) {
      assert.ok(error instanceof PrivateFileError, String(error));
      assert.equal(error.file, file);
      return error.message;
    }
  }

  it("reads a file that only its owner can read, also through a link, and no other", () => {
    const file = join(folder, "key");
    const link = join(folder, "link");
    writeFileSync(file, "secret", { mode: 0o600 });
    symlinkSync("key", link);
    assert.equal(readPrivateFile(file).toString(), "secret");
    assert.equal(readPrivateFile(link).toString(), "secret");
    chmodSync(file, 0o644);
    assert.match(
      problem(file),
      /^\S+\/key is open to every user of this machine \(owner uid \d+, gid \d+, mode 0644\)/,
    );
    assert.match(
      problem(link),
      /^\S+\/link is open to every user of this machine \(owner uid \d+, gid \d+, mode 0644\)/,
    );
  });

  it("refuses a named pipe and a folder, without blocking", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", pipe]);
    assert.match(problem(pipe), /pipe is not a regular file \(owner uid \d+, gid \d+, mode 0600\)$/);
    assert.match(problem(folder), /is not a regular file \(owner /);
  });

  it("refuses a file that is too large to be a key", () => {
    const file = join(folder, "large");
    writeFileSync(file, "", { mode: 0o600 });
    truncateSync(file, 1024 * 1024);
    assert.equal(problem(file), "none");
    truncateSync(file, 1024 * 1024 + 1);
    assert.match(problem(file), /is larger than 1048576 bytes \(owner /);
  });

  it("reports a file that does not exist", () => {
    assert.match(problem(join(folder, "absent")), /absent does not exist$/);
  });
});
