import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Ran } from "../support/cli-kit.ts";
import type { Ending } from "../support/server-process.ts";
import type { Processes } from "../support/processes.ts";
import { until } from "../support/until.ts";
import type { Service } from "./compose-file.ts";
import type { Confinement, Confiner, Execution } from "./confinement.ts";
import { freshFolder } from "./fresh-folder.ts";
import type { Image } from "./image.ts";
import type { Volumes } from "./volumes.ts";

/** The environment in which containers start. */
export interface Engine {
  readonly processes: Processes;
  readonly confiner: Confiner;
  readonly volumes: Volumes;
  /** A folder for the writable layers of containers. */
  readonly work: string;
  /** A process whose network all containers share. */
  readonly network: number;
  /** A file to use as /etc/hosts. */
  readonly hosts: string;
}

/** One service as a process, with its image as root and the settings of the compose file. */
export class Container {
  readonly service: Service;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ending>;
  readonly #engine: Engine;
  readonly #image: Image;
  readonly #outer: ChildProcess;
  #log = "";
  #isGone = false;

  constructor(engine: Engine, service: Service, image: Image) {
    this.service = service;
    this.#engine = engine;
    this.#image = image;
    const command = [...(service.entrypoint ?? image.entrypoint), ...this.#words];
    const [program, ...words] = engine.confiner.start(this.#confine(), this.#execute(command));
    this.#outer = engine.processes.start(program!, words);
    for (const stream of [this.#outer.stdout!, this.#outer.stderr!]) stream.on("data", (chunk) => (this.#log += chunk));
    this.ended = once(this.#outer, "close").then(([code, signal]) => {
      this.#isGone = true;
      return { code, signal };
    });
  }

  /** Its output so far. */
  get log(): string {
    return this.#log;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether it runs until it is stopped. Such a service has a health check; the others complete a task and end. */
  get isLongRunning(): boolean {
    return this.service.restart !== "no";
  }

  /** The process ID on this machine. */
  async pid(): Promise<number> {
    const { pid } = this.#outer;
    if (this.service.pid === "host") return pid!;
    return until(`${this.service.name} has a process`, () => {
      if (this.#isGone) throw new Error(`${this.service.name} ended:\n${this.#log}`);
      return firstChild(pid!);
    });
  }

  /** Runs a command in the container until it ends. */
  async exec(command: readonly string[]): Promise<Ran> {
    const [program, ...words] = this.#engine.confiner.beside(await this.pid(), this.#execute(command));
    return this.#engine.processes.run(program!, words);
  }

  /** Waits until its health check succeeds, however slow this machine is. Rejects if the service ends before. */
  async healthy(): Promise<void> {
    const { test, startIntervalMs } = { ...this.#image.healthcheck!, ...this.service.healthcheck };
    await until(`${this.service.name} is healthy`, async () => {
      if (this.#isGone) throw new Error(`${this.service.name} ended:\n${this.#log}`);
      const { code } = await this.exec(test);
      if (code !== 0) await pause(startIntervalMs);
      return code === 0;
    });
  }

  /** Waits until it ends by itself with 0. Rejects if it ends in another way. */
  async completed(): Promise<void> {
    const { code } = await this.ended;
    if (code !== 0) throw new Error(`${this.service.name} ended with ${code}:\n${this.#log}`);
  }

  /** Sends SIGTERM. Resolves to how it ended, and after how many milliseconds. */
  async stop(): Promise<Ending & { readonly tookMs: number }> {
    const begun = performance.now();
    if (!this.#isGone) process.kill(await this.pid(), "SIGTERM");
    const ending = await this.ended;
    return { ...ending, tookMs: performance.now() - begun };
  }

  /** The image's own command applies only with its own entrypoint. */
  get #words(): readonly string[] {
    const { entrypoint, command } = this.service;
    return command ?? (entrypoint === undefined ? this.#image.command : []);
  }

  #confine(): Confinement {
    const { service } = this;
    const { volumes, hosts, network } = this.#engine;
    const root = this.#layer();
    const binds = service.volumes.map(({ volume, target, isReadOnly }) => {
      return { from: volumes.mount(volume, join(this.#image.folder, target)), to: target, isReadOnly };
    });
    const all = [...binds, { from: hosts, to: "/etc/hosts", isReadOnly: false }];
    for (const { to } of binds) mkdirSync(join(root, to), { recursive: true });
    writeFileSync(join(root, "etc/hosts"), "");
    return { root, isReadOnly: service.isReadOnly, binds: all, pid: service.pid, network };
  }

  /** A writable copy of the image, made of hard links, with the configs of the service. */
  #layer(): string {
    const layer = freshFolder(join(this.#engine.work, `${this.service.name}-`));
    execFileSync("cp", ["-al", `${this.#image.folder}/.`, layer]);
    for (const [target, content] of Object.entries(this.service.configs)) {
      mkdirSync(dirname(join(layer, target)), { recursive: true });
      writeFileSync(join(layer, target), content, { mode: 0o444 });
    }
    return layer;
  }

  #execute(command: readonly string[]): Execution {
    const user = this.service.user ?? this.#image.user;
    const env = { ...this.#image.env, HOSTNAME: this.service.name, ...this.service.environment };
    return { user, env, workdir: this.#image.workdir, command };
  }
}

/** The child process of another one; undefined if it has not started yet or has ended. */
function firstChild(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return first === "" ? undefined : Number(first);
  } catch {
    return undefined;
  }
}
