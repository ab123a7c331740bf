import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { codeBlocks, page } from "../support/pages.ts";
import { API, Caller, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const [FOR_REQUEST_IDS, FOR_READS] = codeBlocks(page("docs/api.md"), "Repeating a call", "json") as [string, string];

/** Passes bytes between a client and a server, and can lose those of the server. */
class Relay {
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #isLosing = false;

  constructor(port: number) {
    this.#server = createServer((client) => {
      const upstream = connect(port, "127.0.0.1");
      this.#clients.add(client);
      client.pipe(upstream);
      upstream.on("data", (bytes) => this.#isLosing || client.write(bytes));
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        socket.on("error", () => {});
        socket.on("close", () => other.destroy());
      }
    });
  }

  async listen(): Promise<number> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on, clients get nothing of what the server sends. */
  lose(): void {
    this.#isLosing = true;
  }

  /** Breaks all connections. New ones work. */
  break(): void {
    for (const client of this.#clients) client.destroy();
    this.#clients.clear();
    this.#isLosing = false;
  }

  close(): void {
    this.break();
    this.#server.close();
  }
}

describe("the service configs of docs/api.md", () => {
  let kit: ServerKit;
  let relay: Relay;
  let port: number;
  before(async () => {
    kit = await ServerKit.start();
    relay = new Relay((kit.address as { port: number }).port);
    port = await relay.listen();
  });
  after(async () => {
    relay.close();
    await kit.stop();
  });

  const callerWith = (serviceConfig: string) => {
    const options = { "grpc.service_config": serviceConfig };
    return new Caller(`localhost:${port}`, Buffer.from(kit.ca.bundlePem), kit.issue({ id: API }), options);
  };

  /** A Put whose answer is lost: the connection breaks when the server has applied it. */
  async function putWithLostAnswer(caller: Caller, request: object) {
    await caller.list({ prefix: "" });
    const puts = () => kit.log.filter(({ event, method }) => event === "call" && /\/Put$/.test(String(method))).length;
    await kit.settled();
    const before = puts();
    relay.lose();
    const put = caller.put(request);
    await until("the Put is applied", async () => {
      await kit.settled();
      return puts() > before;
    });
    relay.break();
    return put;
  }

  const versionsOf = async (caller: Caller, path: string) => (await caller.describe({ path })).response.latest_version;

  it("repeat a change with a request_id after a lost answer, and it is applied once", async () => {
    const caller = callerWith(FOR_REQUEST_IDS);
    const request = { path: "shop/api/once", data: { k: "v" }, request_id: randomUUID() };
    const { code, message, response } = await putWithLostAnswer(caller, request);
    assert.deepEqual([code, response?.version], ["OK", 1], message);
    assert.equal(await versionsOf(caller, "shop/api/once"), 1);
    caller.close();
  });

  // The control: without request_id, the same config applies the change twice.
  it("apply a change without request_id twice, if they are used for it", async () => {
    const caller = callerWith(FOR_REQUEST_IDS);
    const { response } = await putWithLostAnswer(caller, { path: "shop/api/twice", data: { k: "v" } });
    assert.equal(response?.version, 2);
    assert.equal(await versionsOf(caller, "shop/api/twice"), 2);
    caller.close();
  });

  it("repeat only reads, if they are for clients without request_id", async () => {
    const caller = callerWith(FOR_READS);
    const { code, reason } = await putWithLostAnswer(caller, { path: "shop/api/reads", data: { k: "v" } });
    assert.deepEqual([code, reason], ["UNAVAILABLE", undefined]);
    assert.equal(await versionsOf(caller, "shop/api/reads"), 1);
    caller.close();
  });
});
