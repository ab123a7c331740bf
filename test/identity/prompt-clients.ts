import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { nextEvent } from "../support/next-event.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";

/** The header of a TLS record: its type, a version, and the length of its content (RFC 8446 5.1). */
const RECORD_HEADER = 5;

/**
 * A relay to a server, for clients that are prompt for the server, however slow this machine is: the ClientHello of each
 * is at the server before the server can accept the connection, because the server is stopped meanwhile (SIGSTOP).
 */
export class PromptClients {
  readonly #target: ServerProcess;
  readonly #relay: Server;

  private constructor(target: ServerProcess) {
    this.#target = target;
    this.#relay = createServer((client) => void this.#join(client.on("error", () => {})));
  }

  static async start(target: ServerProcess): Promise<PromptClients> {
    const clients = new PromptClients(target);
    clients.#relay.listen(0, "127.0.0.1");
    await once(clients.#relay, "listening");
    return clients;
  }

  /** The port to which the clients connect. */
  get port(): number {
    return (this.#relay.address() as AddressInfo).port;
  }

  /** Accepts no more clients. */
  close(): void {
    this.#relay.close();
  }

  async #join(client: Socket): Promise<void> {
    const hello = await firstRecord(client);
    this.#target.signal("SIGSTOP");
    await until("the server is stopped", () => isStopped(this.#target.pid));
    const server = connect(this.#target.port, "127.0.0.1").on("error", () => {});
    await nextEvent(server, "connect");
    await new Promise((written) => server.write(hello, written));
    this.#target.signal("SIGCONT");
    server.pipe(client).pipe(server);
  }
}

/** Reads until the first record of a client is complete, which contains its ClientHello. */
async function firstRecord(client: Socket): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < RECORD_HEADER || received.length < RECORD_HEADER + received.readUInt16BE(3)) {
    const [chunk] = (await nextEvent(client, "data")) as [Buffer];
    received = Buffer.concat([received, chunk]);
  }
  client.pause();
  return received;
}

/** Whether a signal has stopped the process, see proc_pid_stat(5). */
function isStopped(pid: number): boolean {
  return /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}
