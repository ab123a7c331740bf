import { accessSync, chmodSync, constants, lstatSync, unlinkSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { dirname } from "node:path";
import { type Address, formatAddress } from "../domain/address.ts";
import { StartError } from "../domain/start-refused.ts";
import { describeDenial } from "../files/file-access.ts";

/** Where the server listens. mTLS on both. `mode`: the permissions of the socket file, such as 0o660. */
export type ListenAddress =
  | Extract<Address, { kind: "tcp" }>
  | (Extract<Address, { kind: "unix" }> & { readonly mode: number });

/** An address that can't be listened on; the message says what to do. */
export class ListenRefused extends StartError {
  override readonly name = "ListenRefused";
}

/** Who takes what comes in. */
export interface Arrivals {
  /** A connection. */
  readonly accept: (socket: Socket) => void;
  /** A connection that the system could not hand over. */
  readonly failed: (error: Error) => void;
}

// Connections that the system may have ready for us; it has a bound of its own (on Linux net.core.somaxconn, 4096). With
// Node's 511 a flood fills it between two turns of the event loop, and a good client's SYN that finds it full is dropped:
// TCP sends it again only after a second (RFC 6298 2.1).
const BACKLOG = 4096;

/** Accepts connections at one address. */
export class Listener {
  readonly #server: Server;
  /** Where it listens; with the real port, if 0 was asked for. */
  readonly address: ListenAddress;

  private constructor(server: Server, address: ListenAddress) {
    this.#server = server;
    this.address = address;
  }

  /** Begins to listen. Rejects with {@link ListenRefused}. */
  static async listen(address: ListenAddress, { accept, failed }: Arrivals): Promise<Listener> {
    if (address.kind === "unix") await prepareSocket(address.path);
    const server = createServer({ noDelay: true }, accept);
    await bind(server, address);
    server.on("error", failed);
    if (address.kind === "unix") chmodSync(address.path, address.mode);
    return new Listener(server, withRealPort(address, server));
  }

  /** Accepts no more connections; those that are open stay. */
  close(): void {
    this.#server.close();
  }
}

function bind(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) =>
      reject(new ListenRefused(`can't listen on ${formatAddress(address)}: ${bindProblem(error)}`));
    server.once("error", refuse);
    const options = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.off("error", refuse);
      resolve();
    });
  });
}

function bindProblem(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "something listens there already";
  if (error.code === "EADDRNOTAVAIL")
    return "this machine has no such address; give one of its own, or 0.0.0.0 for all";
  if (error.code === "EACCES") return "this user may not; give a port from 1024 on";
  return error.code ?? "it failed";
}

/** Of a socket's path without the NUL at its end (unix(7)); macOS has four less. */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/** Makes way for a socket. What libuv would cut off, or call by another error's name, is refused here. */
async function prepareSocket(path: string): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES) {
    const why = `a socket's path has at most ${MAX_PATH_BYTES} bytes, and this one ${length}; give a shorter one`;
    throw new ListenRefused(`can't listen on unix:${path}: ${why}`);
  }
  const folder = dirname(path);
  await permitted(path, folder, () => accessSync(folder, constants.W_OK | constants.X_OK));
  await permitted(path, path, () => removeDeadSocket(path));
}

function withRealPort(address: ListenAddress, server: Server): ListenAddress {
  return address.kind === "unix" ? address : { ...address, port: (server.address() as AddressInfo).port };
}

/** Runs an action on `used`, which is the socket or its folder. What the system says against it becomes a refusal. */
async function permitted(path: string, used: string, action: () => void | Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    if (cause instanceof ListenRefused) throw cause;
    const denial = describeDenial(used, (cause as NodeJS.ErrnoException).code);
    throw new ListenRefused(`can't listen on unix:${path}: ${used} ${denial}`, { cause });
  }
}

/** A server that was killed leaves its socket file behind. A file on which somebody answers is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw new ListenRefused(`can't listen on unix:${path}: the file there is not a socket`);
  if (await answers(path)) throw new ListenRefused(`can't listen on unix:${path}: a server listens there already`);
  unlinkSync(path);
}

/** Rejects when the socket may not be asked. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => resolve(true));
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EACCES") reject(error);
      else resolve(error.code !== "ECONNREFUSED");
    });
    probe.once("connect", () => probe.destroy());
  });
}
