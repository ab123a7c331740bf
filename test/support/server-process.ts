import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ClientOptions as GrpcOptions } from "@grpc/grpc-js";
import type { ClientOptions } from "../../src/client/client-options.ts";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import { type DevelopmentCa, type Credential, createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { ofThisFile } from "./children.ts";
import { PATIENCE_MS } from "./patience.ts";
import { ADMIN, Caller, type LogLine } from "./server-kit.ts";
import { THREADS } from "./threads.ts";

/** The program, from the same build as this file. */
export const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));

const SERVER_ID = "spiffe://example.org/coffer";

/** How a process ended: with an exit code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The flags and variables that name the identity source of a process. */
export interface IdentityArguments {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Additional options of a server's process. */
export interface StartOptions {
  /** Its identity source; by default files of the site. */
  readonly identity?: IdentityArguments;
  /** The data folder and the root key; by default those of the site. */
  readonly data?: string;
  readonly rootKey?: string;
  /** Additional flags of `coffer serve`. */
  readonly flags?: readonly string[];
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** A program, with arguments, that execs the command line of the server: such as `sh -c '… && exec "$@"' sh`. */
  readonly prefix?: readonly string[];
}

/**
 * Everything that the servers of one test share: a folder with a CA, credentials, a root key and a data folder. Its
 * processes are killed when the site is removed, or when the test's own process ends earlier.
 */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "coffer-durability-"));
  readonly data = join(this.folder, "data");
  readonly rootKey = join(this.folder, "root.key");
  readonly #ca: DevelopmentCa = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
  readonly #admin: Credential = this.#ca.issue({ id: ADMIN });
  readonly #processes = new Set<ServerProcess>();
  #clients = 0;
  readonly #abandon = () => this.#removeFolder();

  constructor() {
    const coffer = this.#ca.issue({ id: SERVER_ID, dns: ["localhost"] });
    this.#write("coffer.pem", coffer.certPem);
    this.#write("coffer.key", coffer.keyPem);
    this.#write("bundle.pem", this.#ca.bundlePem);
    makeRootKey(this.rootKey);
    process.once("exit", this.#abandon);
  }

  /** Starts a server and waits until it serves. Rejects with its output if it ends instead. */
  async start(options: StartOptions = {}): Promise<ServerProcess> {
    const server = this.launch(options);
    await server.serving();
    return server;
  }

  /** Starts a server without waiting until it serves. */
  launch(options: StartOptions = {}): ServerProcess {
    const command = [process.execPath, ...(options.node ?? []), MAIN, ...this.#flags(options)];
    const [program, ...arguments_] = [...(options.prefix ?? []), ...command];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("COFFER_"));
    const child = ofThisFile(
      spawn(program!, arguments_, {
        env: { ...Object.fromEntries(inherited), ...options.identity?.environment },
        stdio: ["ignore", "ignore", "pipe"],
      }),
    );
    const server = new ServerProcess(child);
    this.#processes.add(server);
    return server;
  }

  /** Starts a server that must not serve. Resolves to its ending and its output. Rejects if it serves. */
  async refusal(options: StartOptions = {}): Promise<Ending & { readonly stderr: string }> {
    const server = this.launch(options);
    const ending = await Promise.race([server.ended, server.serving().catch(() => server.ended)]);
    if (ending === undefined) throw new Error("the server serves, and should have been refused");
    return { ...ending, stderr: server.stderr };
  }

  /** An administrator with its own connection. */
  caller(server: Pick<ServerProcess, "port">, options: GrpcOptions = {}): Caller {
    return this.#callerWith(this.#admin, server, options);
  }

  /** A workload with its own connection. */
  workload(id: string, server: Pick<ServerProcess, "port">, options: GrpcOptions = {}): Caller {
    return this.#callerWith(this.#ca.issue({ id }), server, options);
  }

  /** Coffer's own client, with its own identity files. */
  client(id: string, options: Pick<ClientOptions, "address"> & Partial<ClientOptions>): CofferClient {
    const identity = this.#identityFiles(id);
    return new CofferClient({ serverId: SERVER_ID, identity, timeoutMs: PATIENCE_MS, ...options });
  }

  /** The variables with which a program calls the server as this SPIFFE ID, with its own identity files. */
  variables(id: string, { port }: Pick<ServerProcess, "port">): Record<string, string> {
    const { cert, key, bundle } = this.#identityFiles(id);
    return {
      COFFER_ADDR: `127.0.0.1:${port}`,
      COFFER_SERVER_ID: SERVER_ID,
      COFFER_CERT: cert,
      COFFER_KEY: key,
      COFFER_BUNDLE: bundle,
      COFFER_TIMEOUT: `${PATIENCE_MS}ms`,
    };
  }

  /** The options of node:tls and node:http2 to connect as the administrator. */
  get clientTls() {
    return { ...this.#tlsOf(this.#admin), ALPNProtocols: ["h2"] };
  }

  /** The options of node:tls and node:http2 to connect as a workload. */
  tlsOf(id: string) {
    return this.#tlsOf(this.#ca.issue({ id }));
  }

  /** Kills all servers that still run, waits until they have ended, and removes the folder. */
  async remove(): Promise<void> {
    process.off("exit", this.#abandon);
    this.#killAll();
    await Promise.all([...this.#processes].map((server) => server.ended));
    this.#removeFolder();
  }

  #tlsOf({ certPem: cert, keyPem: key }: Credential) {
    return { cert, key, ca: this.#ca.bundlePem };
  }

  #callerWith(credential: Credential, { port }: Pick<ServerProcess, "port">, options: GrpcOptions): Caller {
    const roots = Buffer.from(this.#ca.bundlePem);
    const named = { "grpc.ssl_target_name_override": "localhost", ...options };
    return new Caller(`127.0.0.1:${port}`, roots, credential, named);
  }

  #identityFiles(id: string): Record<"cert" | "key" | "bundle", string> {
    this.#clients += 1;
    const [cert, key] = [`client-${this.#clients}.pem`, `client-${this.#clients}.key`] as const;
    const { certPem, keyPem } = this.#ca.issue({ id });
    this.#write(cert, certPem);
    this.#write(key, keyPem);
    return { cert: join(this.folder, cert), key: join(this.folder, key), bundle: join(this.folder, "bundle.pem") };
  }

  #killAll(): void {
    for (const server of this.#processes) server.signal("SIGKILL");
  }

  #removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #flags({ data = this.data, rootKey = this.rootKey, identity = this.#identity, flags = [] }: StartOptions): string[] {
    const given = {
      "--listen": "127.0.0.1:0",
      "--ops-listen": "off",
      "--data": data,
      "--root-key": rootKey,
      "--admin": ADMIN,
      "--threads": String(THREADS),
    };
    return ["serve", ...Object.entries(given).flat(), ...identity.flags, ...flags];
  }

  get #identity(): IdentityArguments {
    const [cert, key, bundle] = ["coffer.pem", "coffer.key", "bundle.pem"].map((name) => join(this.folder, name));
    return { flags: ["--cert", cert!, "--key", key!, "--bundle", `example.org=${bundle}`], environment: {} };
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }
}

/** `coffer serve` in a separate process. */
export class ServerProcess {
  /** Its log so far. */
  readonly log: LogLine[] = [];
  /** Resolves when the process has ended and its complete output was read. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #progress = new EventEmitter();
  #stderr = "";
  #isGone = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stderr! }).on("line", (line) => this.#take(line));
    this.ended = once(child, "close").then(([code, signal]) => {
      this.#isGone = true;
      this.#progress.emit("news");
      return { code, signal };
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get port(): number {
    const { address } = this.lines("listening")[0] as { address?: unknown } & LogLine;
    return Number(String(address).split(":").at(-1));
  }

  /** Its standard error so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Whether the process has ended. */
  get isGone(): boolean {
    return this.#isGone;
  }

  lines(event: string): LogLine[] {
    return this.log.filter((line) => line.event === event);
  }

  /** Resolves when the log has such a line. Rejects if the process ends without one. */
  async logged(event: string, isWanted: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    for (;;) {
      const line = this.lines(event).find(isWanted);
      if (line !== undefined) return line;
      if (this.#isGone) throw new Error(`the server ended without "${event}":\n${this.#stderr}`);
      await once(this.#progress, "news");
    }
  }

  /**
   * Resolves to the first line with one of these events after the first `count` lines of the log. Rejects if the process
   * ends before.
   */
  async loggedAfter(count: number, events: readonly string[]): Promise<LogLine> {
    for (;;) {
      const line = this.log.slice(count).find(({ event }) => events.includes(event));
      if (line !== undefined) return line;
      if (this.#isGone) throw new Error(`the server ended without any of ${events.join(", ")}:\n${this.#stderr}`);
      await once(this.#progress, "news");
    }
  }

  /** Resolves when standard error has a matching line, whether JSON or not. Rejects if the process ends without one. */
  async wrote(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#stderr)) {
      if (this.#isGone) throw new Error(`the server ended without ${pattern}:\n${this.#stderr}`);
      await once(this.#progress, "news");
    }
  }

  async serving(): Promise<undefined> {
    await this.logged("serving");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<Ending> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** Stops it gracefully. */
  async stop(): Promise<Ending> {
    this.signal("SIGTERM");
    return this.ended;
  }

  #take(line: string): void {
    this.#stderr += `${line}\n`;
    if (line.startsWith("{")) this.log.push(JSON.parse(line) as LogLine);
    this.#progress.emit("news");
  }
}
