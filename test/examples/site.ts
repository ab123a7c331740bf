import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import type { Built } from "./build.ts";
import { Example } from "./example.ts";
import { COFFER, ENTRIES, Machine } from "../spire/machine.ts";
import type { Entry, Spire } from "../spire/spire.ts";
import { PROGRAM } from "../support/cli-kit.ts";
import { freePort } from "../support/free-port.ts";
import { ADMIN, API, POLICY } from "../support/server-kit.ts";
import { ServerProcess } from "../support/server-process.ts";

/** The registration entry of the examples, which run as root. */
const EXAMPLE: Entry = { name: "example", id: API, uid: 0 };

/** The SPIFFE ID of the example with an SVID of another trust domain. */
export const FOREIGN = "spiffe://other.org/partner";

/** The environment of a process. */
export type Variables = Readonly<Record<string, string>>;

/** How long the SVIDs of a {@link Site} are valid, in seconds. */
export interface SiteShape {
  /** The lifetime of the example's SVID; an hour by default. SPIRE renews an SVID after half of its lifetime. */
  readonly ttl?: number;
}

/** A SPIRE, and a Coffer server that can be started again on the same port and store. */
export class Site {
  readonly machine: Machine;
  readonly spire: Spire;
  readonly serverId = COFFER;
  readonly #port: number;
  readonly #tasks: (() => Promise<void>)[] = [];
  #server: ServerProcess | undefined;

  private constructor(machine: Machine, spire: Spire, port: number) {
    this.machine = machine;
    this.spire = spire;
    this.#port = port;
  }

  /** Starts SPIRE and Coffer. Resolves when Coffer serves. */
  static async start({ ttl = 3600 }: SiteShape = {}): Promise<Site> {
    const machine = new Machine();
    const spire = await machine.spire({ syncInterval: "1s" });
    await spire.addEntry(ENTRIES.coffer);
    await spire.addEntry({ ...EXAMPLE, ttl });
    const site = new Site(machine, spire, await freePort());
    site.#prepare();
    await site.startServer();
    return site;
  }

  get server(): ServerProcess {
    return this.#server!;
  }

  /** The port of 127.0.0.1 on which the server listens. */
  get port(): number {
    return this.#port;
  }

  /** What each example reads from its environment, with an identity from this SPIRE. */
  variables(spire: Spire = this.spire): Variables {
    return {
      HOME: process.env["HOME"] ?? "/",
      // java-spiffe requires a URI with an authority, even an empty one.
      SPIFFE_ENDPOINT_SOCKET: spire.endpoint.replace("unix:/", "unix:///"),
      COFFER_ADDR: `127.0.0.1:${this.#port}`,
      COFFER_SERVER_ID: this.serverId,
    };
  }

  /** Starts the server. Resolves when it serves. */
  async startServer(): Promise<void> {
    const flags = {
      "--listen": `127.0.0.1:${this.#port}`,
      "--ops-listen": "off",
      "--data": join(this.#folder, "data"),
      "--root-key": join(this.#folder, "root.key"),
      "--policy": join(this.#folder, "policy.yaml"),
      "--admin": ADMIN,
      "--log-level": "debug",
    };
    const command = [PROGRAM, "serve", ...Object.entries(flags).flat()];
    const env = { SPIFFE_ENDPOINT_SOCKET: this.spire.endpoint };
    const as = { uid: ENTRIES.coffer.uid, env };
    this.#server = new ServerProcess(this.machine.processes.start(process.execPath, command, as));
    await this.#server.serving();
  }

  /** Ends the server by a signal, and starts another one with the same port and store. */
  async restartServer(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.server.signal(signal);
    await this.server.ended;
    await this.startServer();
  }

  /** Starts an example. `variables` are those of its environment. */
  run({ root, command }: Built, variables: Variables, ...flags: readonly string[]): Example {
    const line = `cd '${root}' && exec env ${command} ${flags.join(" ")}`;
    return new Example(this.machine.processes.start("sh", ["-c", line], { env: variables }));
  }

  /**
   * A SPIRE of another trust domain, which gives the example an SVID and the bundle of example.org. The example accepts
   * the server. The server has no bundle of that trust domain, and refuses the example.
   */
  async foreignSpire(): Promise<Spire> {
    const other = await this.machine.spire({ trustDomain: "other.org" });
    await other.federate(this.spire);
    await other.addEntry({ ...EXAMPLE, id: FOREIGN, federatesWith: [this.spire.trustDomain] });
    return other;
  }

  /** Runs `task` in {@link end}, before everything is killed. */
  atEnd(task: () => Promise<void>): void {
    this.#tasks.push(task);
  }

  /** Kills everything, and removes the folder. */
  async end(): Promise<void> {
    for (const task of this.#tasks) await task();
    await this.machine.end();
  }

  get #folder(): string {
    return join(this.machine.folder, "coffer");
  }

  #prepare(): void {
    const { uid } = ENTRIES.coffer;
    mkdirSync(this.#folder, { mode: 0o700 });
    writeFileSync(join(this.#folder, "policy.yaml"), POLICY);
    makeRootKey(join(this.#folder, "root.key"));
    for (const name of ["", "policy.yaml", "root.key"]) chownSync(join(this.#folder, name), uid, uid);
  }
}
