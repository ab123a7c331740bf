import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, constants, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import type { Processes } from "../support/processes.ts";
import { findSpire } from "../support/programs.ts";
import {
  agentConfig,
  agentSocket,
  type SpireLocation,
  type SpireOptions,
  serverConfig,
  serverSocket,
} from "./spire-config.ts";
import { until } from "../support/until.ts";

/** A registration entry: the SVID of the programs of one user. */
export interface Entry {
  /** The name of the entry, by which it is deleted. */
  readonly name: string;
  readonly id: string;
  readonly uid: number;
  /** The lifetime of an SVID in seconds; an hour by default. */
  readonly ttl?: number;
  /** The hint, by which the operator distinguishes SVIDs. */
  readonly hint?: string;
  /** DNS names in the SVID, for clients that verify these. */
  readonly dns?: readonly string[];
  /** The trust domains whose bundles the workload gets as well. */
  readonly federatesWith?: readonly string[];
}

/** The steps of a CA rotation, as the commands of `spire-server localauthority x509`. */
export type AuthorityStep = "prepare" | "activate" | "taint" | "revoke";

/** A real SPIRE deployment for one trust domain: its server and its only agent. */
export class Spire {
  readonly trustDomain: string;
  readonly #processes: Processes;
  readonly #location: SpireLocation;
  readonly #agentProgram: string;
  readonly #serverProgram: string;
  #agent: ChildProcess | undefined;

  private constructor(processes: Processes, location: SpireLocation, trustDomain: string) {
    const { server, agent } = findSpire()!;
    this.trustDomain = trustDomain;
    this.#processes = processes;
    this.#location = location;
    this.#serverProgram = server;
    // Programs of other users run a copy, because the original can be in a folder that is closed to other users.
    this.#agentProgram = join(location.folder, "spire-agent");
    copyFileSync(agent, this.#agentProgram, constants.COPYFILE_FICLONE);
    chmodSync(this.#agentProgram, 0o755);
  }

  /**
   * Starts server and agent in `folder`, which every user must be able to enter. Resolves when both report that they
   * are healthy.
   */
  static async start(processes: Processes, folder: string, options: SpireOptions = {}): Promise<Spire> {
    const { trustDomain = "example.org" } = options;
    const location = { folder, port: await freePort() };
    for (const name of ["server", "agent"]) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "server.conf"), serverConfig(location, { ...options, trustDomain }));
    writeFileSync(join(folder, "agent.conf"), agentConfig(location, { ...options, trustDomain }));
    const spire = new Spire(processes, location, trustDomain);
    await spire.#startServer();
    await spire.#startAgent("-joinToken", await spire.#newToken());
    return spire;
  }

  /** The value of SPIFFE_ENDPOINT_SOCKET. */
  get endpoint(): string {
    return `unix:${agentSocket(this.#location)}`;
  }

  /** The bundle of its own trust domain, in the SPIFFE format. */
  bundle(): Promise<string> {
    return this.#server("bundle", "show", "-format", "spiffe");
  }

  /** Adds an entry. Resolves when the agent serves it. */
  async addEntry(entry: Entry): Promise<void> {
    await this.#server("entry", "create", "-parentID", this.#agentId, ...flagsOf(entry));
    await until(`the agent has an SVID for ${entry.id}`, async () =>
      String((await this.fetch(entry.uid)).stdout).includes(`${entry.id}\n`),
    );
  }

  /** Deletes an entry. The agent notices at its next synchronization. */
  async remove(name: string): Promise<void> {
    await this.#server("entry", "delete", "-entryID", name);
  }

  /** Returns the Workload API's answer to a program of this user, as SPIRE's own client prints it. */
  fetch(uid: number, ...flags: readonly string[]) {
    const socket = ["-socketPath", agentSocket(this.#location)];
    return this.#processes.run(this.#agentProgram, ["api", "fetch", "x509", ...socket, ...flags], { uid });
  }

  /** Performs one step of a CA rotation. Activating, tainting and revoking need the id of a CA. */
  async rotate(step: AuthorityStep, authority?: string): Promise<void> {
    const which = authority === undefined ? [] : ["-authorityID", authority];
    await this.#server("localauthority", "x509", step, ...which);
  }

  /** Returns the ids of the CAs. */
  async authorities(): Promise<{ readonly active: string; readonly prepared: string; readonly old: string }> {
    const shown = JSON.parse(await this.#server("localauthority", "x509", "show", "-output", "json"));
    const numberOf = (name: string) => shown[name]?.authority_id ?? "";
    return { active: numberOf("active"), prepared: numberOf("prepared"), old: numberOf("old") };
  }

  /** Imports the current bundle of another trust domain. */
  async federate(other: Spire): Promise<void> {
    const file = join(this.#location.folder, "federated.json");
    writeFileSync(file, await other.bundle());
    await this.#server("bundle", "set", "-format", "spiffe", "-id", `spiffe://${other.trustDomain}`, "-path", file);
  }

  /** Deletes the bundle of another trust domain from the server and from all entries. */
  async defederate(other: Spire): Promise<void> {
    await this.#server("bundle", "delete", "-mode", "dissociate", "-id", `spiffe://${other.trustDomain}`);
  }

  /** Kills the agent with SIGKILL. Its socket file remains. */
  async killAgent(): Promise<void> {
    const agent = this.#agent!;
    agent.kill("SIGKILL");
    await once(agent, "close");
  }

  /** Starts the agent again. It uses the keys that the killed agent left on disk. */
  async restartAgent(): Promise<void> {
    await this.#startAgent();
  }

  get #agentId(): string {
    return `spiffe://${this.trustDomain}/agent/one`;
  }

  async #startServer(): Promise<void> {
    const config = join(this.#location.folder, "server.conf");
    const server = this.#processes.start(this.#serverProgram, ["run", "-config", config]);
    const health = [this.#serverProgram, "healthcheck", "-socketPath", serverSocket(this.#location)];
    await this.#healthy(server, health);
  }

  async #startAgent(...flags: readonly string[]): Promise<void> {
    const config = join(this.#location.folder, "agent.conf");
    this.#agent = this.#processes.start(this.#agentProgram, ["run", "-config", config, ...flags]);
    const health = [this.#agentProgram, "healthcheck", "-socketPath", agentSocket(this.#location)];
    await this.#healthy(this.#agent, health);
  }

  async #healthy(child: ChildProcess, [program, ...flags]: readonly string[]): Promise<void> {
    const said: string[] = [];
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => said.push(String(chunk)));
    await until(`${child.spawnargs.join(" ")} is healthy`, async () => {
      if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(" ")} ended:\n${said.join("")}`);
      return (await this.#processes.run(program!, flags)).code === 0;
    });
  }

  async #newToken(): Promise<string> {
    const said = await this.#server("token", "generate", "-spiffeID", this.#agentId, "-output", "json");
    return JSON.parse(said).value;
  }

  /** Runs a command of `spire-server`, and returns its output. */
  async #server(...words: readonly string[]): Promise<string> {
    const socket = ["-socketPath", serverSocket(this.#location)];
    const { code, stdout, stderr } = await this.#processes.run(this.#serverProgram, [...words, ...socket]);
    if (code !== 0) throw new Error(`spire-server ${words.join(" ")}: ${stderr}${stdout}`);
    return String(stdout);
  }
}

function flagsOf({ name, id, uid, ttl = 3600, hint = "", dns = [], federatesWith = [] }: Entry): string[] {
  const single = { entryID: name, spiffeID: id, selector: `unix:uid:${uid}`, x509SVIDTTL: `${ttl}`, hint };
  const domains = federatesWith.map((domain) => `spiffe://${domain}`);
  return [
    ...Object.entries(single).flatMap(([flag, value]) => [`-${flag}`, value]),
    ...dns.flatMap((host) => ["-dns", host]),
    ...domains.flatMap((domain) => ["-federatesWith", domain]),
  ];
}
