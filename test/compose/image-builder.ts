import { execFileSync } from "node:child_process";
import {
  chownSync,
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { dirname, join, posix } from "node:path";
import type { Processes } from "../support/processes.ts";
import { type BaseImage, standIn } from "./base-images.ts";
import type { Confiner } from "./confinement.ts";
import { type Ignores, readDockerIgnore } from "./docker-ignore.ts";
import { execForm, type Instruction, readDockerfile, withArguments } from "./dockerfile.ts";
import { durationMs } from "./duration.ts";
import { freshFolder } from "./fresh-folder.ts";
import type { Healthcheck, Image } from "./image.ts";

/** The result of the instructions of one Dockerfile so far. */
interface Build {
  readonly known: Map<string, string>;
  readonly stages: Map<string, BaseImage>;
}

/** Executes the instructions of Dockerfiles in empty folders. An unsupported instruction or flag is an error. */
export class ImageBuilder {
  readonly #processes: Processes;
  readonly #confiner: Confiner;
  readonly #work: string;
  readonly #ignores: Ignores = readDockerIgnore(readFileSync(".dockerignore", "utf8"));
  /** Stages by their inputs: the same stage is built only once, as with an engine's cache. */
  readonly #made = new Map<string, BaseImage>();

  /** `work` is the folder for the results. */
  constructor(processes: Processes, confiner: Confiner, work: string) {
    this.#processes = processes;
    this.#confiner = confiner;
    this.#work = work;
  }

  /** The stand-in for an image of a registry. */
  pull(name: string): BaseImage {
    return this.#once(name, () => standIn(name, freshFolder(join(this.#work, "image-"))));
  }

  /** Builds the last stage of a Dockerfile whose context is this repository. */
  async build(dockerfile: string, given: Readonly<Record<string, string>>): Promise<Image> {
    const build: Build = { known: new Map(), stages: new Map() };
    const stages = splitStages(readDockerfile(dockerfile));
    for (const argument of stages.shift()!) declare(build, argument, given);
    let last: BaseImage | undefined;
    for (const stage of stages) last = await this.#stage(build, stage);
    return last!;
  }

  async #stage(build: Build, [from, ...instructions]: readonly Instruction[]): Promise<BaseImage> {
    const [base, , name] = withArguments(from!.text, build.known).split(/\s+/);
    const sources = instructions
      .flatMap(({ flags }) => flags["from"] ?? [])
      .map((stage) => build.stages.get(stage)?.folder);
    const key = JSON.stringify([base, instructions, sources]);
    let image = this.#made.get(key);
    if (image === undefined) {
      image = this.#copyOf(this.pull(base!));
      for (const instruction of instructions) image = await this.#follow(image, instruction, build);
      this.#made.set(key, image);
    }
    if (name !== undefined) build.stages.set(name, image);
    return image;
  }

  #copyOf({ folder, ...image }: BaseImage): BaseImage {
    const copy = freshFolder(join(this.#work, "stage-"));
    execFileSync("cp", ["-a", "--reflink=auto", `${folder}/.`, copy]);
    const system = image.system.map((bind) => ({ ...bind, from: bind.from.replace(folder, copy) }));
    return { ...image, folder: copy, system };
  }

  async #follow(image: BaseImage, { name, flags, text }: Instruction, build: Build): Promise<BaseImage> {
    switch (name) {
      case "COPY":
        this.#copy(image, flags, withArguments(text, build.known).split(/\s+/), build);
        return image;
      case "ARG":
      case "ENV":
        return { ...image, env: { ...image.env, ...readArgument(text) } };
      case "RUN":
        await this.#run(image, text);
        return image;
      case "WORKDIR":
        mkdirSync(join(image.folder, text), { recursive: true });
        return { ...image, workdir: posix.resolve(image.workdir, text) };
      case "USER":
        return { ...image, user: text };
      case "ENTRYPOINT":
        return { ...image, entrypoint: execForm(text), command: [] };
      case "CMD":
        return { ...image, command: execForm(text) };
      case "HEALTHCHECK":
        return { ...image, healthcheck: readHealthcheck(flags, text) };
      case "EXPOSE":
        return image;
      default:
        throw new Error(`${name} is an instruction that these tests do not support`);
    }
  }

  #copy(image: BaseImage, { from, chown, ...unknown }: Record<string, string>, words: string[], build: Build): void {
    if (Object.keys(unknown).length > 0)
      throw new Error(`COPY has flags that these tests do not support: ${Object.keys(unknown)}`);
    const isContext = from === undefined;
    const source = isContext ? process.cwd() : (build.stages.get(from) ?? this.pull(from)).folder;
    const to = words.at(-1)!;
    const target = join(image.folder, posix.resolve(image.workdir, to));
    for (const word of words.slice(0, -1)) {
      const path = join(source, word);
      const isFolder = statSync(path).isDirectory();
      const into = isFolder || !to.endsWith("/") ? target : join(target, posix.basename(word));
      if (isContext) this.#copyContext(posix.normalize(word), into);
      else copyTree(path, into, chown);
    }
  }

  /**
   * Copies the files of the repository that .dockerignore includes. The copies keep their modes, and root owns them.
   */
  #copyContext(path: string, to: string): void {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path)) this.#copyContext(`${path}/${name}`, join(to, name));
      return;
    }
    if (this.#ignores(path)) return;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to);
    chownSync(to, 0, 0);
  }

  async #run(image: BaseImage, command: string): Promise<void> {
    if (image.system.length === 0) throw new Error(`RUN in an image without a shell: ${command}`);
    for (const { to } of image.system) mkdirSync(join(image.folder, to), { recursive: true });
    const passed = Object.entries(process.env).filter(([name]) =>
      /proxy$|_ca_certs$|^npm_config_registry$/i.test(name),
    );
    const env = { ...Object.fromEntries(passed), ...image.env, HOME: "/root" } as Record<string, string>;
    const [program, ...words] = this.#confiner.start(
      { root: image.folder, isReadOnly: false, binds: image.system, pid: "own" },
      { user: image.user, env, workdir: image.workdir, command: ["/bin/sh", "-c", command] },
    );
    const { code, stdout, stderr } = await this.#processes.run(program!, words);
    if (code !== 0) throw new Error(`RUN ${command}: ${code}\n${stdout}${stderr}`);
  }

  #once(key: string, make: () => BaseImage): BaseImage {
    const image = this.#made.get(key) ?? make();
    this.#made.set(key, image);
    return image;
  }
}

/** The instructions before the first FROM, then each stage with its FROM. */
function splitStages(instructions: readonly Instruction[]): Instruction[][] {
  const stages: Instruction[][] = [[]];
  for (const instruction of instructions) {
    if (instruction.name === "FROM") stages.push([]);
    stages.at(-1)!.push(instruction);
  }
  return stages;
}

function declare({ known }: Build, { name, text }: Instruction, given: Readonly<Record<string, string>>): void {
  if (name !== "ARG") throw new Error(`${name} before the first FROM`);
  const [argument, value] = text.split("=");
  known.set(argument!, given[argument!] ?? value!);
}

/** An argument of one stage, with its default. Commands of the stage see it as a variable. */
function readArgument(text: string): Record<string, string> {
  const [name, value] = text.split("=");
  if (name === undefined || value === undefined) throw new Error(`an argument without a default: ${text}`);
  return { [name]: value };
}

/** Copies a file, or the content of a folder, with owners and modes; `chown` changes the owners. */
function copyTree(from: string, to: string, chown: string | undefined): void {
  const isFolder = lstatSync(from).isDirectory();
  const names = isFolder ? readdirSync(from) : [""];
  const isNew = isFolder && !existsSync(to);
  mkdirSync(isFolder ? to : dirname(to), { recursive: true });
  for (const name of names) {
    execFileSync("cp", ["-a", "--reflink=auto", "--no-target-directory", join(from, name), join(to, name)]);
    if (chown !== undefined) execFileSync("chown", ["-hR", chown, join(to, name)]);
  }
  // An existing folder keeps its owner and mode.
  if (isNew) chmodSync(to, lstatSync(from).mode);
}

function readHealthcheck(flags: Record<string, string>, text: string): Healthcheck {
  const command = /^CMD\s+(.*)$/.exec(text)?.[1];
  if (command === undefined) throw new Error(`invalid healthcheck: ${text}`);
  return { test: execForm(command), startIntervalMs: durationMs(flags["start-interval"]!) };
}
