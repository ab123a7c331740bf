import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { PROGRAM } from "../support/cli-kit.ts";
import { ServerProcess } from "../support/server-process.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-hangup-"));
after(() => rmSync(folder, { recursive: true }));

// Sends the process SIGHUP as soon as it loads the first of its packages, which is long before the server listens.
const hook = join(folder, "hook.cjs");
writeFileSync(
  hook,
  `const { Module } = require("node:module");
   const load = Module.prototype.load;
   Module.prototype.load = function (file) {
     Module.prototype.load = load;
     process.kill(process.pid, "SIGHUP");
     return load.call(this, file);
   };`,
);

function start(...arguments_: readonly string[]) {
  return spawn(process.execPath, ["--require", hook, PROGRAM, ...arguments_], {
    cwd: folder,
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "ignore", "pipe"],
  });
}

describe("SIGHUP while the program loads", () => {
  // An init system that reloads all services may send SIGHUP to a server that it has just started.
  it("does not end a server", async () => {
    const server = new ServerProcess(start("dev", "--listen", "127.0.0.1:0", "--ops-listen", "off"));
    after(() => server.kill());
    await server.serving();
    assert.equal((await server.stop()).code, 0);
  });

  it("does not stop a server from reporting why it can't start", async () => {
    const server = new ServerProcess(start("serve"));
    assert.equal((await server.ended).code, 2);
    assert.match(server.stderr, /an identity is required/);
  });

  // The control: SIGHUP ends every command except the server, for example when its terminal closes.
  it("ends any other command", async () => {
    const child = start("list");
    const [code, signal] = await once(child, "exit");
    assert.deepEqual([code, signal], [null, "SIGHUP"]);
  });
});
