import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ClientOptions } from "@grpc/grpc-js";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import { type Authority, type Credential, createAuthority } from "../../src/pki/development-ca.ts";
import { ofThisFile } from "./children.ts";
import { ADMIN, Caller, type LogLine } from "./server-kit.ts";

/** The program itself, compiled beside this file. */
export const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));

/** How a process ended: by itself with a code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What tells a process where its identity is. */
export interface IdentityArguments {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How the server's process is started, beside what every one of them is told. */
export interface StartOptions {
  /** Where its identity is; in files of the site by default. */
  readonly identity?: IdentityArguments;
  /** The data folder and the root key; those of the site by default. */
  readonly data?: string;
  readonly rootKey?: string;
  /** More flags of `coffer serve`. */
  readonly flags?: readonly string[];
  /** Options of Node itself. */
  readonly node?: readonly string[];
  /** A program that becomes the server, such as `sh -c '… && exec "$@"' sh`. */
  readonly prefix?: readonly string[];
}

/**
 * Everything that servers of one test need and share: a folder with an authority, credentials, a root key and a place
 * for data. What was started here is killed when the site is removed, or when the test's own process ends before.
 */
export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "coffer-durability-"));
  readonly data = join(this.folder, "data");
  readonly rootKey = join(this.folder, "root.key");
  readonly #authority: Authority = createAuthority(TrustDomain.parse("example.org"), systemClock);
  readonly #admin: Credential = this.#authority.issue({ id: ADMIN });
  readonly #processes = new Set<ServerProcess>();
  readonly #abandon = () => this.#removeFolder();

  constructor() {
    const coffer = this.#authority.issue({ id: "spiffe://example.org/coffer", dns: ["localhost"] });
    this.#write("coffer.pem", coffer.certPem);
    this.#write("coffer.key", coffer.keyPem);
    this.#write("bundle.pem", this.#authority.bundlePem);
    makeRootKey(this.rootKey);
    process.once("exit", this.#abandon);
  }

  /** A server that serves. Rejects with what it wrote when it ends instead. */
  async start(options: StartOptions = {}): Promise<ServerProcess> {
    const server = this.launch(options);
    await server.serving();
    return server;
  }

  /** A server that has only just begun to start. */
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

  /** How a server ends that must not come to serve, and what it wrote. Rejects when it serves all the same. */
  async refusal(options: StartOptions = {}): Promise<Ending & { readonly stderr: string }> {
    const server = this.launch(options);
    const ending = await Promise.race([server.ended, server.serving().catch(() => server.ended)]);
    if (ending === undefined) throw new Error("the server serves, and should have been refused");
    return { ...ending, stderr: server.stderr };
  }

  /** An administrator with a connection of its own. */
  caller(server: Pick<ServerProcess, "port">, options: ClientOptions = {}): Caller {
    return this.#callerWith(this.#admin, server, options);
  }

  /** Any workload, with a connection of its own. */
  workload(id: string, server: Pick<ServerProcess, "port">, options: ClientOptions = {}): Caller {
    return this.#callerWith(this.#authority.issue({ id }), server, options);
  }

  /** What node:tls and node:http2 need to speak as the administrator. */
  get clientTls() {
    return { ...this.#tlsOf(this.#admin), ALPNProtocols: ["h2"] };
  }

  /** What node:tls and node:http2 need to speak as any workload. */
  tlsOf(id: string) {
    return this.#tlsOf(this.#authority.issue({ id }));
  }

  /** Kills every server that is left, waits until they are gone, and removes the folder. */
  async remove(): Promise<void> {
    process.off("exit", this.#abandon);
    this.#killAll();
    await Promise.all([...this.#processes].map((server) => server.ended));
    this.#removeFolder();
  }

  #tlsOf({ certPem: cert, keyPem: key }: Credential) {
    return { cert, key, ca: this.#authority.bundlePem };
  }

  #callerWith(credential: Credential, { port }: Pick<ServerProcess, "port">, options: ClientOptions): Caller {
    const roots = Buffer.from(this.#authority.bundlePem);
    const named = { "grpc.ssl_target_name_override": "localhost", ...options };
    return new Caller(`127.0.0.1:${port}`, roots, credential, named);
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

/** `coffer serve` as a process of its own. */
export class ServerProcess {
  /** Its log so far. */
  readonly log: LogLine[] = [];
  /** Resolves when the process is gone and all that it wrote was read. */
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

  /** All that it wrote to stderr. */
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

  /** Resolves when the log has such a line. Rejects when the process ends without one. */
  async logged(event: string, isWanted: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    for (;;) {
      const line = this.lines(event).find(isWanted);
      if (line !== undefined) return line;
      if (this.#isGone) throw new Error(`the server ended without "${event}":\n${this.#stderr}`);
      await once(this.#progress, "news");
    }
  }

  /** Resolves to the first such line behind the first `count` lines of the log. Rejects when the process ends before. */
  async loggedAfter(count: number, events: readonly string[]): Promise<LogLine> {
    for (;;) {
      const line = this.log.slice(count).find(({ event }) => events.includes(event));
      if (line !== undefined) return line;
      if (this.#isGone) throw new Error(`the server ended without any of ${events.join(", ")}:\n${this.#stderr}`);
      await once(this.#progress, "news");
    }
  }

  /** Resolves when it has written such a line, of the log or not. Rejects when the process ends without one. */
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

  /** Kills it the hard way. */
  async kill(): Promise<Ending> {
    this.signal("SIGKILL");
    return this.ended;
  }

  /** Stops it in good order. */
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
