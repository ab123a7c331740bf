import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { copyAsIs } from "../support/copy-folder.ts";
import { whyNoFaults } from "../support/failing-disk.ts";
import { committed, entries, inChild, openStore, putSealed, summary } from "../support/persistence-kit.ts";

const FRAME = 4096 + 24;

const folder = mkdtempSync(join(tmpdir(), "coffer-recovery-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const database = (data: string, suffix = "") => join(data, "store", `coffer.db${suffix}`);

/**
 * The store of a killed server: some commits are in the database, some in the log, and the outcome of the last is
 * unknown.
 */
async function killedStore(): Promise<string> {
  const data = join(folder, "open");
  const store = openStore(data);
  const write = (path: string) => committed(store.journal, entries(putSealed(store, path, 1, `of ${path}`.repeat(99))));
  for (const path of ["a", "b", "c"]) await write(path);
  store.journal.checkpoint("full");
  for (const path of ["d", "e", "unknown"]) await write(path);
  const killed = join(folder, "killed");
  copyAsIs(data, killed);
  store.journal.close();
  return killed;
}

const ACKNOWLEDGED = ["a", "b", "c", "d", "e"];

/**
 * Changes a log to its state after a failed last write and a power failure. After the failed write, the kernel still
 * returns the pages to every reader and considers them written. Only a power failure shows that they are not on the
 * disk.
 */
function withoutLastWrite(log: string): void {
  const bytes = readFileSync(log);
  if (bytes.length === 0) return;
  const isEnd = (at: number) => bytes.readUInt32BE(at + 4) !== 0;
  let at = bytes.length - 2 * FRAME;
  while (at >= 32 && !isEnd(at)) at -= FRAME;
  bytes.fill(0, at + FRAME);
  writeFileSync(log, bytes);
}

async function pathsIn(data: string): Promise<string[]> {
  const { journal } = openStore(data);
  const lines = await summary(journal);
  journal.close();
  return lines.map((line) => line.split(" ")[2]!);
}

// If a kill or a power failure interrupts a recovery at any of its system calls, the next start finishes or repeats it,
// and no acknowledged change is lost. A power failure also removes the data that a failed write of the log left in the
// kernel's cache. The database is not written before a new file is complete, so a log with a hole causes no damage.
test("a recovery can be interrupted at every system call", { skip: whyNoFaults() ?? false }, async () => {
  const killed = await killedStore();
  const script = `openStore(data); console.log("opened"); process.kill(process.pid, "SIGKILL");`;
  const states = new Set<string>();
  for (const calls of ["rename", "unlink", "fsync,fdatasync", "pwrite64,write", "ftruncate"]) {
    for (let when = 1, isInterrupted = true; isInterrupted; when++) {
      const data = join(folder, "cut");
      copyAsIs(killed, data);
      const paths = ["", "-wal", ".recovering", ".recovered", ".folded"].flatMap((end) => [
        "-P",
        `'${database(data, end)}'`,
      ]);
      const only = calls.startsWith("f") ? ["-P", `'${join(data, "store")}'`, ...paths] : paths;
      const inject = `-e trace=${calls} -e inject=${calls}:signal=SIGKILL:when=${when}`;
      const { stdout } = inChild(data, script, `exec strace -f -o /dev/null ${only.join(" ")} ${inject} "$@"`);
      isInterrupted = stdout !== "opened\n";
      if (isInterrupted) await assertNothingLost(data, `${calls} ${when}`, states);
      rmSync(data, { recursive: true });
    }
  }
  assert.ok(states.size >= 4, `the interruptions led to ${[...states].join("; ")}`);
});

/** Starts on the files after an interruption, and on the same files after a power failure. */
async function assertNothingLost(data: string, when: string, states: Set<string>): Promise<void> {
  const files = spawnSync("ls", [join(data, "store")], { encoding: "utf8" })
    .stdout.split("\n")
    .join(" ");
  states.add(files);
  const afterPowerFailure = `${data}-power`;
  copyAsIs(data, afterPowerFailure);
  if (existsSync(database(afterPowerFailure, "-wal"))) withoutLastWrite(database(afterPowerFailure, "-wal"));
  for (const place of [data, afterPowerFailure]) {
    const paths = await pathsIn(place);
    assert.deepEqual(paths.slice(0, ACKNOWLEDGED.length), ACKNOWLEDGED, `${when}: ${files}`);
    assert.deepEqual(
      paths.slice(ACKNOWLEDGED.length).filter((path) => path !== "unknown"),
      [],
    );
  }
  rmSync(afterPowerFailure, { recursive: true });
}
