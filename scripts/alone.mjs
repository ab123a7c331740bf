// One build at a time in a clone: "npm test" and "npm run dev" may be started side by side, and two compilers would
// write the same files.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const LOCK = new URL("../.building", import.meta.url);

// Milliseconds between two looks.
const PAUSE_MS = 500;

/** Runs `work` when no other process of this clone is at it. Resolves to what that returns. */
export async function alone(work) {
  for (let waits = 0; !take(); waits++) {
    if (waits === 0) console.error("coffer: another build of this clone is under way, waiting for it");
    await sleep(PAUSE_MS);
  }
  // Also when it ends by process.exit or by Ctrl-C.
  process.once("exit", letGo);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(1));
  try {
    return await work();
  } finally {
    letGo();
  }
}

/** The lock is a file with the id of the process; one of a process that has ended counts for nothing. */
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
    // Empty while its owner is about to write it. Signal 0 only asks whether there is such a process.
    return holder === 0 || process.kill(holder, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

function letGo() {
  if (existsSync(LOCK) && Number(readFileSync(LOCK, "utf8")) === process.pid) rmSync(LOCK);
}
