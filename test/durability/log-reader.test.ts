import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fetchOps } from "../support/fetch-ops.ts";
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

/** A server that writes its log to the pipe. */
function launch(): ServerProcess {
  const prefix = ["sh", "-c", 'exec "$@" 2>"$0"', pipe];
  return site.launch({ prefix, flags: ["--ops-listen", ops, "--log-level", "debug"] });
}

async function ready(server: ServerProcess): Promise<void> {
  for (;;) {
    if (server.isGone) throw new Error("the server ended");
    if (
      await fetchOps(`http://${ops}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Opens the pipe for reading and writing, so that it always has a reader and the open does not block. */
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

// The availability of secrets is more important than the log. If the reader of the log ends or stalls, the server
// continues, and shuts down gracefully.
describe("a server", () => {
  it("continues after the reader of its log has ended", async () => {
    const reader = openPipe();
    const server = launch();
    await ready(server);
    closeSync(reader);
    server.signal("SIGHUP"); // makes it write a line
    await ready(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
  });

  // The pipe is full from the first line on. The server does not wait for it, except briefly at shutdown.
  it("does not wait for a reader of its log that reads nothing", async () => {
    const reader = openPipe();
    fill(reader);
    const server = launch();
    await ready(server);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    closeSync(reader);
  });
});
