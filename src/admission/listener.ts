import { accessSync, chmodSync, constants, lstatSync, unlinkSync } from "node:fs";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { dirname } from "node:path";
import { type Address, formatAddress } from "../domain/address.ts";
import { StartError } from "../domain/start-refused.ts";
import { describeDenial } from "../files/file-access.ts";

/** Where the server listens, with mTLS on both kinds. `mode`: the permissions of the socket file, such as 0o660. */
export type ListenAddress =
  | Extract<Address, { kind: "tcp" }>
  | (Extract<Address, { kind: "unix" }> & { readonly mode: number });

/** The server can't listen on an address. The message states what to do. */
export class ListenRefused extends StartError {
  override readonly name = "ListenRefused";
}

/** Receives the events of a {@link Listener}. */
export interface Arrivals {
  /** Called with each accepted connection. */
  readonly accept: (socket: Socket) => void;
  /** Called when accept(2) fails. */
  readonly failed: (error: Error) => void;
}

// The length of the system's queue of connections that are not accepted yet; the system has its own limit as well
// (net.core.somaxconn on Linux, 4096). With Node's default of 511, a flood fills the queue between two turns of the
// event loop. The system then drops the SYN of a legitimate client, and TCP sends it again only after a second (RFC
// 6298 2.1).
const BACKLOG = 4096;

/** Accepts connections at one address. */
export class Listener {
  readonly #server: Server;
  /** Where it listens, with the real port if port 0 was requested. */
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

  /** Stops accepting connections. Open connections remain. */
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
  if (error.code === "EADDRINUSE") return "the address is already in use";
  if (error.code === "EADDRNOTAVAIL")
    return "this machine does not have the address; use one that it has, or 0.0.0.0 for all";
  if (error.code === "EACCES") return "permission denied; use a port of 1024 or higher";
  return error.code ?? "unknown error";
}

/**
 * The longest path of a unix socket in bytes, without the NUL at its end (unix(7)). On macOS it is four bytes shorter.
 */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/**
 * Removes a stale socket file. Refuses a path that libuv would truncate. Also checks whether the folder exists and is
 * writable, because libuv reports both problems as EACCES.
 */
async function prepareSocket(path: string): Promise<void> {
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES) {
    const why = `the path has ${length} bytes, and a socket's path may have at most ${MAX_PATH_BYTES}; use a shorter one`;
    throw new ListenRefused(`can't listen on unix:${path}: ${why}`);
  }
  const folder = dirname(path);
  await permitted(path, folder, () => accessSync(folder, constants.W_OK | constants.X_OK));
  await permitted(path, path, () => removeDeadSocket(path));
}

function withRealPort(address: ListenAddress, server: Server): ListenAddress {
  return address.kind === "unix" ? address : { ...address, port: (server.address() as AddressInfo).port };
}

/**
 * Runs an action on `used`, which is the socket or its folder. An error of the system becomes a {@link ListenRefused}.
 */
async function permitted(path: string, used: string, action: () => void | Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    if (cause instanceof ListenRefused) throw cause;
    const denial = describeDenial(used, (cause as NodeJS.ErrnoException).code);
    throw new ListenRefused(`can't listen on unix:${path}: ${used} ${denial}`, { cause });
  }
}

/** Removes the socket file that a killed server left behind. Does not remove one on which a server answers. */
async function removeDeadSocket(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw new ListenRefused(`can't listen on unix:${path}: the file there is not a socket`);
  if (await answers(path)) throw new ListenRefused(`can't listen on unix:${path}: another server is listening on it`);
  unlinkSync(path);
}

/** Whether a server answers on a socket. Rejects if this user may not connect to it. */
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
