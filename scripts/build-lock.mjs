// Allows one build at a time in a clone. "npm test" and "npm run dev" may run at the same time, and two compilers would
// write the same files.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const LOCK = new URL("../.building", import.meta.url);

// Milliseconds between two attempts to take the lock.
const PAUSE_MS = 500;

/** Runs `work` while no other process of this clone builds. Resolves to the result of `work`. */
export async function withBuildLock(work) {
  for (let waits = 0; !take(); waits++) {
    if (waits === 0) console.error("coffer: waiting for another build of this clone");
    await sleep(PAUSE_MS);
  }
  // This releases the lock even after process.exit and after Ctrl-C.
  process.once("exit", release);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
  try {
    return await work();
  } finally {
    release();
  }
}

/** Takes the lock, a file with the ID of the process. Removes the lock of a process that has ended. */
function take() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!isHeld()) rmSync(LOCK, { force: true });
    return false;
  }
}

function isHeld() {
  try {
    const holder = Number(readFileSync(LOCK, "utf8"));
    // The file is empty until its owner has written it. Signal 0 only checks whether the process exists.
    return holder === 0 || process.kill(holder, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

function release() {
  if (existsSync(LOCK) && Number(readFileSync(LOCK, "utf8")) === process.pid) rmSync(LOCK);
}
