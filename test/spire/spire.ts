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
  type SpirePlace,
  type SpireShape,
  serverConfig,
  serverSocket,
} from "./spire-config.ts";
import { until } from "../support/until.ts";

/** A registration entry: which SVID the programs of one user get. */
export interface Entry {
  /** The entry's own name, by which it is deleted. */
  readonly name: string;
  readonly id: string;
  readonly uid: number;
  /** How long an SVID is valid, in seconds; an hour by default. */
  readonly ttl?: number;
  /** What the operator says that it is for. */
  readonly hint?: string;
  /** Host names in the SVID, for clients that verify these. */
  readonly dns?: readonly string[];
  /** Trust domains whose bundles come along. */
  readonly federatesWith?: readonly string[];
}

/** The authorities that sign, as `spire-server localauthority x509` takes them through a rotation. */
export type AuthorityStep = "prepare" | "activate" | "taint" | "revoke";

/** A real SPIRE of one trust domain: its server, and the one agent of this machine. */
export class Spire {
  readonly trustDomain: string;
  readonly #processes: Processes;
  readonly #place: SpirePlace;
  readonly #agentProgram: string;
  readonly #serverProgram: string;
  #agent: ChildProcess | undefined;

  private constructor(processes: Processes, place: SpirePlace, trustDomain: string) {
    const { server, agent } = findSpire()!;
    this.trustDomain = trustDomain;
    this.#processes = processes;
    this.#place = place;
    this.#serverProgram = server;
    // A copy that workloads may run, too: the original can be in a folder that is closed to other users.
    this.#agentProgram = join(place.folder, "spire-agent");
    copyFileSync(agent, this.#agentProgram, constants.COPYFILE_FICLONE);
    chmodSync(this.#agentProgram, 0o755);
  }

  /** Starts both in `folder`, which every user has to be able to enter. Resolves when both say that they are healthy. */
  static async start(processes: Processes, folder: string, shape: SpireShape = {}): Promise<Spire> {
    const { trustDomain = "example.org" } = shape;
    const place = { folder, port: await freePort() };
    for (const name of ["server", "agent"]) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "server.conf"), serverConfig(place, { ...shape, trustDomain }));
    writeFileSync(join(folder, "agent.conf"), agentConfig(place, { ...shape, trustDomain }));
    const spire = new Spire(processes, place, trustDomain);
    await spire.#startServer();
    await spire.#startAgent("-joinToken", await spire.#newToken());
    return spire;
  }

  /** The value of SPIFFE_ENDPOINT_SOCKET. */
  get endpoint(): string {
    return `unix:${agentSocket(this.#place)}`;
  }

  /** The bundle of its own trust domain, in the SPIFFE format. */
  bundle(): Promise<string> {
    return this.#server("bundle", "show", "-format", "spiffe");
  }

  /** Adds an entry. Resolves when the agent serves it. */
  async enter(entry: Entry): Promise<void> {
    await this.#server("entry", "create", "-parentID", this.#agentId, ...flagsOf(entry));
    await until(`the agent has an SVID for ${entry.id}`, async () =>
      String((await this.fetch(entry.uid)).stdout).includes(`${entry.id}\n`),
    );
  }

  /** Deletes an entry. The agent hears of it at its next question. */
  async remove(name: string): Promise<void> {
    await this.#server("entry", "delete", "-entryID", name);
  }

  /** What the Workload API tells a program of this user, as SPIRE's own client prints it. */
  fetch(uid: number, ...flags: readonly string[]) {
    const socket = ["-socketPath", agentSocket(this.#place)];
    return this.#processes.run(this.#agentProgram, ["api", "fetch", "x509", ...socket, ...flags], { uid });
  }

  /** Takes the authorities one step further; activating, tainting and revoking need the number of one. */
  async rotate(step: AuthorityStep, authority?: string): Promise<void> {
    const which = authority === undefined ? [] : ["-authorityID", authority];
    await this.#server("localauthority", "x509", step, ...which);
  }

  /** The numbers of its authorities. */
  async authorities(): Promise<{ readonly active: string; readonly prepared: string; readonly old: string }> {
    const shown = JSON.parse(await this.#server("localauthority", "x509", "show", "-output", "json"));
    const numberOf = (name: string) => shown[name]?.authority_id ?? "";
    return { active: numberOf("active"), prepared: numberOf("prepared"), old: numberOf("old") };
  }

  /** Takes over another trust domain's bundle as it is now. */
  async federate(other: Spire): Promise<void> {
    const file = join(this.#place.folder, "federated.json");
    writeFileSync(file, await other.bundle());
    await this.#server("bundle", "set", "-format", "spiffe", "-id", `spiffe://${other.trustDomain}`, "-path", file);
  }

  /** Deletes the bundle of another trust domain, here and in all entries. */
  async defederate(other: Spire): Promise<void> {
    await this.#server("bundle", "delete", "-mode", "dissociate", "-id", `spiffe://${other.trustDomain}`);
  }

  /** Kills the agent the hard way. Its socket stays behind. */
  async killAgent(): Promise<void> {
    const agent = this.#agent!;
    agent.kill("SIGKILL");
    await once(agent, "close");
  }

  /** Starts the agent again, with the keys that it has on disk. */
  async restartAgent(): Promise<void> {
    await this.#startAgent();
  }

  get #agentId(): string {
    return `spiffe://${this.trustDomain}/agent/one`;
  }

  async #startServer(): Promise<void> {
    const config = join(this.#place.folder, "server.conf");
    const server = this.#processes.start(this.#serverProgram, ["run", "-config", config]);
    const health = [this.#serverProgram, "healthcheck", "-socketPath", serverSocket(this.#place)];
    await this.#healthy(server, health);
  }

  async #startAgent(...flags: readonly string[]): Promise<void> {
    const config = join(this.#place.folder, "agent.conf");
    this.#agent = this.#processes.start(this.#agentProgram, ["run", "-config", config, ...flags]);
    const health = [this.#agentProgram, "healthcheck", "-socketPath", agentSocket(this.#place)];
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

  /** Asks the server for something; answers what was printed. */
  async #server(...words: readonly string[]): Promise<string> {
    const socket = ["-socketPath", serverSocket(this.#place)];
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
