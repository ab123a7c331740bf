import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nextEvent } from "../support/next-event.ts";
import { Processes } from "../support/processes.ts";
import { type Build, type ComposeFile, type Condition, readComposeFile, type Service } from "./compose-file.ts";
import { Confiner } from "./confinement.ts";
import { Container, type Engine } from "./container.ts";
import { freshFolder } from "./fresh-folder.ts";
import type { Image } from "./image.ts";
import { ImageBuilder } from "./image-builder.ts";
import { Volumes } from "./volumes.ts";

/** The compose file of this repository. */
const COMPOSE_FILE = "docker-compose.yml";

/** Runs the compose file's services as processes of this machine, as `docker compose` does with an engine. */
export class Project {
  readonly file: ComposeFile = readComposeFile(readFileSync(COMPOSE_FILE, "utf8"));
  readonly folder = freshFolder(join(tmpdir(), "coffer-compose-"));
  readonly #processes = new Processes();
  readonly #confiner = new Confiner(this.#make("engine"), this.#make("root"));
  readonly #builder = new ImageBuilder(this.#processes, this.#confiner, this.#make("images"));
  readonly #volumes = new Volumes(this.#make("volumes"), this.file.volumes);
  readonly #remove = () => rmSync(this.folder, { recursive: true, force: true });
  #engine: Engine | undefined;
  /** The containers of the last {@link up}, in the order of their start. */
  readonly #containers = new Map<string, Container>();
  readonly #starting = new Map<string, Promise<Container>>();

  constructor() {
    process.once("exit", this.#remove);
  }

  /** The image of a service, built or pulled. */
  image({ from }: Service): Image | Promise<Image> {
    if ("build" in from) return this.#build(from.build);
    const builder = this.file.services.find((other) => "build" in other.from && other.from.tag === from.image);
    return builder === undefined ? this.#builder.pull(from.image) : this.image(builder);
  }

  #build({ inline, args }: Build): Promise<Image> {
    return this.#builder.build(inline ?? readFileSync("Dockerfile", "utf8"), args);
  }

  service(name: string): Service {
    return this.file.services.find((service) => service.name === name)!;
  }

  container(name: string): Container {
    return this.#containers.get(name)!;
  }

  /** The complete output of the containers that were started last. */
  logs(): string {
    return [...this.#containers.values()].map(({ log }) => log).join("");
  }

  /** Runs a script instead of a service's command, while the services run. Resolves when it ends. */
  async run(name: string, script: string): Promise<{ readonly code: number | null; readonly log: string }> {
    const service = this.service(name);
    const container = new Container(this.#engine!, { ...service, command: [script] }, await this.image(service));
    const { code } = await container.ended;
    return { code, log: container.log };
  }

  /** Starts every service as soon as its dependencies allow. Resolves when each is healthy or has completed. */
  async up(): Promise<void> {
    // One after the other, so that a service finds the image that an earlier service has built.
    for (const service of this.file.services) await this.image(service);
    this.#engine ??= await this.#begin();
    const containers = await Promise.all(this.file.services.map(({ name }) => this.#start(name)));
    await Promise.all(containers.map(settled));
  }

  /** Stops the services in reverse order of dependency, and resolves to how each ended. The volumes stay. */
  async down() {
    const endings = new Map<string, Awaited<ReturnType<Container["stop"]>>>();
    for (const [name, container] of [...this.#containers].reverse()) endings.set(name, await container.stop());
    this.#containers.clear();
    this.#starting.clear();
    return endings;
  }

  /** Kills the services that still run, and removes the volumes and everything else. */
  async end(): Promise<void> {
    await this.#processes.end();
    process.off("exit", this.#remove);
    this.#remove();
  }

  #start(name: string): Promise<Container> {
    const starting = this.#starting.get(name) ?? this.#startInOrder(this.service(name));
    this.#starting.set(name, starting);
    return starting;
  }

  async #startInOrder(service: Service): Promise<Container> {
    const others = Object.entries(service.dependsOn).map(async ([other, condition]) => {
      await REACHED[condition](await this.#start(other));
    });
    await Promise.all(others);
    const container = new Container(this.#engine!, service, await this.image(service));
    this.#containers.set(service.name, container);
    return container;
  }

  /** A network with only a loopback device, where every service has an address and can be found by name. */
  async #begin(): Promise<Engine> {
    const script = "ip link set lo up; echo up; exec sleep infinity";
    const words = ["--pdeathsig=KILL", "unshare", "--net", "sh", "-euc", script];
    const holder = this.#processes.start("setpriv", words);
    await nextEvent(holder.stdout!, "data");
    const hosts = join(this.folder, "hosts");
    const lines = this.file.services.map(({ name }, index) => `127.0.1.${index + 1} ${name}`);
    writeFileSync(hosts, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
    return {
      processes: this.#processes,
      confiner: this.#confiner,
      volumes: this.#volumes,
      work: this.#make("containers"),
      network: holder.pid!,
      hosts,
    };
  }

  #make(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return folder;
  }
}

const REACHED: Readonly<Record<Condition, (container: Container) => unknown>> = {
  service_started: () => undefined,
  service_healthy: (container) => container.healthy(),
  service_completed_successfully: (container) => container.completed(),
};

/** Resolves when a service with a health check is healthy, or another one has ended with 0. */
function settled(container: Container): Promise<void> {
  return container.isLongRunning ? container.healthy() : container.completed();
}
