import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { nextEvent } from "../../support/next-event.ts";

const thread = (code: string) => new Worker(code, { eval: true });

describe("a test that waits for an event", () => {
  it("receives its arguments", async () => {
    const worker = thread(`require("node:worker_threads").parentPort.postMessage("report")`);
    assert.deepEqual(await nextEvent(worker, "message"), ["report"]);
  });

  it("fails when the thread ends without it", async () => {
    await assert.rejects(
      nextEvent(thread("process.exit(3)"), "message"),
      /the Worker ended before its event "message"/,
    );
  });

  it("fails with the error of the thread", async () => {
    await assert.rejects(nextEvent(thread(`throw new Error("the reason")`), "message"), /the reason/);
  });

  it("fails when the child process ends without it", async () => {
    const child = spawn(process.execPath, ["-e", ""], { stdio: ["ignore", "pipe", "ignore"] });
    await Promise.all([
      assert.rejects(nextEvent(child, "message"), /the ChildProcess ended before/),
      assert.rejects(nextEvent(child.stdout, "data"), /the Socket ended before/),
    ]);
  });

  it("fails when the peer closes the connection, or has closed it", async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").resume();
    for (const _ of ["it closes", "it has closed"])
      await assert.rejects(nextEvent(socket, "data"), /the Socket ended before its event "data"/);
    server.close();
  });
});

// once() waits for ever for these events if a failure ends their emitter. A race with the end of the emitter does not.
const PREVENTED =
  /(?<!\.)\bonce\((?!process\.).*?, "(data|message|response|trailers|remoteSettings|(secureC|c)onnect|ping|line)"\)/;

/** The lines of the tests that wait in such a way. */
function hangingWaits(): string[] {
  const names = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const lines = names.flatMap((name) => readFileSync(join("test", name), "utf8").split("\n"));
  return lines.filter((line) => PREVENTED.test(line) && !line.includes("Promise.race("));
}

it("no test waits by once() for an event that a failure prevents", () => {
  assert.match(`await ${once.name}(stream.end(), "response")`, PREVENTED);
  assert.deepEqual(hangingWaits(), []);
});
