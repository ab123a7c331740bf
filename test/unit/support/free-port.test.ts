import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { it } from "node:test";
import { ofThisFile } from "../../support/children.ts";
import { freePort } from "../../support/free-port.ts";

const EACH = 200;

/** Calls freePort() in another process, and returns the ports. */
async function portsOfAnotherProcess(): Promise<number[]> {
  const script = `import { freePort } from ${JSON.stringify(import.meta.resolve("../../support/free-port.js"))};
    const ports = [];
    while (ports.length < ${EACH}) ports.push(await freePort());
    console.log(JSON.stringify(ports));`;
  const words = ["--input-type=module", "--eval", script];
  const child = ofThisFile(spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] }));
  return JSON.parse(await text(child.stdout)) as number[];
}

// With random ports and no reservation, two of 400 would be the same with a probability of more than 0.9999.
it("freePort gives each port to one caller, also in several processes", async () => {
  const own: number[] = [];
  while (own.length < EACH) own.push(await freePort());
  assert.equal(new Set([...own, ...(await portsOfAnotherProcess())]).size, 2 * EACH);
});

// A listener on port 0, in any test that runs at the same time, would otherwise take a port between its choice and its use.
it("freePort gives no port that the system gives to listeners on port 0", async () => {
  const port = await freePort();
  for (let i = 0; i < 20; i++) {
    const server = createServer().listen(0);
    await once(server, "listening");
    assert.ok((server.address() as { port: number }).port >= 16_000 && port < 16_000);
    server.close();
  }
});
