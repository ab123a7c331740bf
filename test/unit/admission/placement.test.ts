import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type AddressInfo, type Server, Socket, connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { load } from "koffi";
import { Adoption } from "../../../src/admission/adoption.ts";
import { ConnectionCounts } from "../../../src/admission/connection-counts.ts";
import { type Duplicate, loadDuplicate } from "../../../src/admission/descriptor.ts";
import { Placement, type PlacementOptions } from "../../../src/admission/placement.ts";
import { nextEvent } from "../../support/next-event.ts";
import { until } from "../../support/until.ts";

let duplicate: Duplicate;
before(async () => {
  duplicate = await loadDuplicate();
});

/** Two fronts in one thread: what front 0 accepts goes to itself or, by descriptor, to front 1. */
class TwoFronts {
  readonly counts = ConnectionCounts.of(2);
  readonly received: [Socket[], Socket[]] = [[], []];
  readonly refused: Socket[] = [];
  readonly failures: string[] = [];
  /** The descriptors on the way to front 1. They stay there if `delivers` is false. */
  readonly sent: number[] = [];
  delivers = true;
  readonly adoption: Adoption;
  readonly #server: Server;

  constructor(options: Partial<PlacementOptions> = {}) {
    const { counts, received, failures } = this;
    this.adoption = new Adoption({
      counts,
      own: 1,
      receive: (socket) => void received[1].push(socket),
      failed: ({ code }) => void failures.push(String(code)),
    });
    const placement = new Placement({
      counts,
      own: 0,
      most: 100,
      duplicate,
      post: (_front, fd) => (this.delivers ? this.adoption.adopt(fd) : void this.sent.push(fd)),
      receive: (socket) => void received[0].push(socket),
      refuse: (socket) => {
        this.refused.push(socket);
        socket.destroy();
      },
      ...options,
    });
    this.#server = createServer({ noDelay: true }, (socket) => placement.place(socket));
  }

  get numbers(): number[] {
    return [0, 1].map((front) => this.counts.of(front));
  }

  async connect(): Promise<Socket> {
    if (!this.#server.listening) await once(this.#server.listen(0, "127.0.0.1"), "listening");
    const socket = connect((this.#server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => {});
    await nextEvent(socket, "connect");
    return socket;
  }

  /** Opens a connection that must arrive on `front`. Returns its two ends. */
  async connectTo(front: 0 | 1): Promise<{ readonly client: Socket; readonly server: Socket }> {
    const before = this.received.flat().length;
    const client = await this.connect();
    await until("the connection arrives", () => this.received.flat().length > before);
    const server = this.received[front].find(({ remotePort }) => remotePort === client.localPort);
    assert.ok(server, `the connection is on front ${front}`);
    return { client, server };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.received.flat()) socket.destroy();
  }
}

const descriptors = () => readdirSync("/proc/self/fd").length;

describe("placement", () => {
  const open: TwoFronts[] = [];
  const fronts = (options?: Partial<PlacementOptions>) => {
    const two = new TwoFronts(options);
    open.push(two);
    return two;
  };
  after(() => {
    for (const two of open) two.close();
  });

  it("selects the front with the fewest connections, and does not count closed ones", async () => {
    const two = fronts();
    const { client } = await two.connectTo(0);
    await two.connectTo(1);
    await two.connectTo(0);
    await two.connectTo(1);
    assert.deepEqual(two.numbers, [2, 2]);
    client.destroy();
    two.received[0][0]!.resume();
    await until("the close is counted", () => two.counts.of(0) === 1);
    await two.connectTo(0);
    const second = two.received[1][0]!;
    second.destroy();
    await until("the close is counted", () => two.counts.of(1) === 1);
    await two.connectTo(1);
    assert.deepEqual(two.numbers, [2, 2]);
  });

  // A client that makes one call on each connection would otherwise get the handshake rate of one front only.
  it("selects another front each time if each connection is closed before the next", async () => {
    const two = fronts();
    for (let round = 0; round < 6; round++) {
      const { client, server } = await two.connectTo(round % 2 === 0 ? 0 : 1);
      server.resume();
      client.destroy();
      await until("the close is counted", () => two.numbers.every((count) => count === 0));
    }
  });

  // Each property of the first socket is the control for that of the second, which was passed by descriptor.
  it("passes a socket with its bytes, its peer's address, its options and its half-close", async () => {
    const two = fronts();
    const getsockopt = load(null).func("int getsockopt(int, int, int, _Out_ int *value, _Inout_ uint32_t *length)");
    const IPPROTO_TCP = 6;
    const TCP_NODELAY = 1;
    for (const front of [0, 1] as const) {
      const { client, server } = await two.connectTo(front);
      assert.equal(server.remoteAddress, "127.0.0.1");
      assert.equal(server.remotePort, client.localPort);
      const noDelay = [0];
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
      assert.equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, noDelay, [4]), 0);
      assert.deepEqual(noDelay, [1], `TCP_NODELAY on front ${front}`);
      server.pipe(server);
      const sent = Buffer.alloc(1 << 20, front + 1);
      client.end(sent);
      const received: Buffer[] = [];
      for await (const part of client) received.push(part as Buffer);
      assert.ok(Buffer.concat(received).equals(sent), `all bytes come back from front ${front}, and then the end`);
    }
  });

  // A client may send its ClientHello with its ACK, before the other front knows of the connection.
  it("keeps bytes that arrived before the other front opens the socket", async () => {
    const two = fronts();
    await two.connectTo(0);
    two.delivers = false;
    const client = await two.connect();
    client.write("early");
    await until("the descriptor is sent", () => two.sent.length === 1);
    assert.deepEqual(two.numbers, [1, 1]);
    two.adoption.adopt(two.sent[0]!);
    assert.equal(String((await nextEvent(two.received[1][0]!, "data"))[0]), "early");
  });

  it("sends neither FIN nor RST when it passes a socket", async () => {
    const two = fronts();
    await two.connectTo(0);
    two.delivers = false;
    const client = await two.connect();
    let ended = false;
    client.on("close", () => {
      ended = true;
    });
    client.resume();
    await until("the descriptor is sent", () => two.sent.length === 1);
    two.adoption.adopt(two.sent[0]!);
    two.received[1][0]!.write("still open");
    assert.equal(String((await nextEvent(client, "data"))[0]), "still open");
    assert.equal(ended, false);
  });

  it("passes a socket whose peer is gone, which then ends like any other", async () => {
    for (const [leave, event] of [
      ["end", "finish"],
      ["resetAndDestroy", "close"],
    ] as const) {
      const two = fronts();
      await two.connectTo(0);
      two.delivers = false;
      const client = await two.connect();
      await until("the descriptor is sent", () => two.sent.length === 1);
      client[leave]();
      await once(client, event);
      two.adoption.adopt(two.sent[0]!);
      two.received[1][0]!.resume();
      await until("the close is counted", () => two.counts.of(1) === 0);
      assert.deepEqual(two.numbers, [1, 0]);
    }
  });

  // EMFILE at accept(2) is reported by the listener. EMFILE at the copy must not lose a connection that was accepted.
  it("serves a connection itself if it can't be duplicated or sent", async () => {
    const noDescriptor = () => {
      throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
    };
    const closedPort = () => {
      throw new Error("the port is closed");
    };
    for (const options of [{ duplicate: noDescriptor }, { post: closedPort }]) {
      const two = fronts(options);
      await two.connectTo(0);
      const before = descriptors();
      const { client, server } = await two.connectTo(0);
      assert.equal(descriptors(), before + 2, "no copy remains");
      assert.deepEqual(two.numbers, [2, 0]);
      server.pipe(server);
      client.write("served");
      assert.equal(String((await nextEvent(client, "data"))[0]), "served");
    }
  });

  it("refuses a connection when every front has the maximum", async () => {
    const two = fronts({ most: 1 });
    await two.connectTo(0);
    await two.connectTo(1);
    const third = await two.connect();
    await once(third.resume(), "close");
    assert.equal(two.refused.length, 1);
    assert.deepEqual(two.numbers, [1, 1]);
  });

  it("closes a descriptor that arrives after the front was closed, and one that is not a socket", async () => {
    const two = fronts();
    await two.connectTo(0);
    two.adoption.close();
    const client = await two.connect();
    await once(client.resume(), "close");
    await until("the close is counted", () => two.counts.of(1) === 0);
    assert.deepEqual(two.received[1], []);

    const before = descriptors();
    const regular = new TwoFronts();
    const { open: openFile } = await import("node:fs/promises");
    const file = await openFile("package.json");
    regular.counts.add(1);
    regular.adoption.adopt(duplicate(file.fd));
    await file.close();
    assert.deepEqual(regular.failures, ["ERR_INVALID_FD_TYPE"]);
    assert.equal(regular.counts.of(1), 0);
    assert.equal(descriptors(), before);
  });

  it("leaves no descriptor open", async () => {
    const two = fronts();
    await two.connectTo(0);
    await two.connectTo(1);
    const before = descriptors();
    for (let round = 0; round < 50; round++) {
      const pairs = [await two.connectTo(0), await two.connectTo(1)];
      for (const { client, server } of pairs) {
        server.resume();
        client.destroy();
      }
      await until("both are closed", () => two.numbers.every((count) => count === 1));
    }
    await until("all descriptors are closed", () => descriptors() === before);
  });
});

it("duplicates a descriptor with close-on-exec, or throws the system's code", async () => {
  const copy = duplicate(1);
  assert.ok(copy > 2);
  const flags = load(null).func("int fcntl(int fd, int command, ...)")(copy, 1, "int", 0);
  assert.equal(flags, 1, "FD_CLOEXEC");
  new Socket({ fd: copy }).destroy();
  assert.throws(() => duplicate(1 << 20), { code: "EBADF" });
});
