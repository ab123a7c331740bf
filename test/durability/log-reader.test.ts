import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { freePort } from "../support/free-port.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";

let site: Site;
let ops: string;
let pipe: string;
beforeEach(async () => {
  site = new Site();
  ops = `127.0.0.1:${await freePort()}`;
  pipe = join(site.folder, "log");
});
afterEach(() => site.remove());

/** A server whose log goes into the pipe. */
function launch(): ServerProcess {
  const prefix = ["sh", "-c", 'exec "$@" 2>"$0"', pipe];
  return site.launch({ prefix, flags: ["--ops-listen", ops, "--log-level", "debug"] });
}

async function ready(server: ServerProcess): Promise<void> {
  for (;;) {
    if (server.isGone) throw new Error("the server ended");
    if (
      await fetch(`http://${ops}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The end of a pipe that reads and writes, so that it is never without a reader and opening it waits for nobody. */
function openPipe(): number {
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  return openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
}

function fill(descriptor: number): void {
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(4096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
  }
}

// Secrets are worth more than lines about them: the reader of the log, a program that somebody else restarts, ends
// neither the server nor its good end.
describe("a server whose log", () => {
  it("has a reader that died", async () => {
    const reader = openPipe();
    const server = launch();
    await ready(server);
    closeSync(reader);
    server.signal("SIGHUP"); // has it write a line
    await ready(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  // The whole time, from the first line on: nothing waits for a place in the pipe, and the end only for a moment.
  it("has a reader that reads nothing", async () => {
    const reader = openPipe();
    fill(reader);
    const server = launch();
    await ready(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    closeSync(reader);
  });
});
