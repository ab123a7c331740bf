import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ofThisFile } from "./children.ts";
import { PROGRAM } from "./cli-kit.ts";
import { until } from "./until.ts";

/** How the workloads of docs/rotation.md get the secret: the blocks of the page. */
export interface WorkloadBlocks {
  /** The configuration of `coffer agent`. */
  readonly agent: string;
  /** The command line of `coffer run --watch`. */
  readonly run: string;
  /** The program with a SecretCache. */
  readonly program: string;
}

/** The folder, the name and the environment of a workload. */
export interface WorkloadPlace {
  /** A folder of its own, which does not exist yet. */
  readonly folder: string;
  /** The name of the instance. */
  readonly name: string;
  /** The COFFER_* variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** The client of the build under test, which the page imports as `coffer/client`. */
const CLIENT = pathToFileURL(join(PROGRAM, "../client/index.js")).href;

/** The file that the agent of the page writes. */
const AGENT_FILE = "/run/shop/password";

/**
 * The `./database.js` of the page: it reports each password for which connections are open. With the variable HELD, it opens
 * connections for the password in it only when its standard input has a line.
 */
const DATABASE = `import { once } from "node:events";
export async function openPool(password) {
  if (password === process.env["HELD"]) await once(process.stdin, "data");
  process.stdin.unref();
  console.log("uses " + password);
  return { close: async () => {} };
}
`;

/** The `./web-server` of the page: it reports the password of its environment, and runs until a signal or the end of its input. */
const WEB_SERVER = `#!/bin/sh
echo "uses $DB_PASSWORD"
exec cat
`;

/** A workload in a separate process that watches the secret of docs/rotation.md. */
export class RotatingWorkload {
  readonly #process: ChildProcess;
  /** The password that it uses: the one that it reported last, or the content of its file. */
  readonly #used: () => string;
  #stderr = "";

  private constructor(process: ChildProcess, used?: () => string) {
    let stdout = "";
    this.#process = ofThisFile(process);
    process.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    process.stdin!.on("error", () => {});
    this.#used = used ?? (() => /uses (.*)\n$/.exec(stdout)?.[1] ?? "");
  }

  /** `coffer agent` with the configuration of the page. */
  static agent({ folder, env }: WorkloadPlace, { agent }: WorkloadBlocks): RotatingWorkload {
    mkdirSync(folder);
    const file = join(folder, "password");
    const config = join(folder, "agent.yaml");
    // The file of the page is in memory, and the folder of a test may be on a disk.
    writeFileSync(config, agent.replace(`file: ${AGENT_FILE}`, `file: ${file}\n    allow_disk: true`));
    const process = start(["agent", "-c", config], folder, env);
    return new RotatingWorkload(process, () => contentOf(file));
  }

  /** The command of the page with `coffer run --watch`. */
  static run({ folder, env }: WorkloadPlace, { run }: WorkloadBlocks): RotatingWorkload {
    mkdirSync(folder);
    writeFileSync(join(folder, "web-server"), WEB_SERVER, { mode: 0o755 });
    const [program, ...arguments_] = run.trim().split(" ");
    if (program !== "coffer") throw new Error(`expected a command line of coffer: ${run}`);
    return new RotatingWorkload(start(arguments_, folder, env));
  }

  /** The program of the page. With `held`, it begins to use this password only after {@link release}. */
  static program(place: WorkloadPlace, { program }: WorkloadBlocks, held?: string): RotatingWorkload {
    const { folder, name, env } = place;
    mkdirSync(folder);
    writeFileSync(join(folder, "database.js"), DATABASE);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const file = join(folder, "orders.js");
    writeFileSync(file, program.replace("coffer/client", CLIENT).replace("coffer.example:8443", env["COFFER_ADDR"]!));
    const variables = { ...env, HOSTNAME: name, ...(held !== undefined && { HELD: held }) };
    return new RotatingWorkload(spawnNode([file], folder, variables));
  }

  /** Resolves when it uses this password. Rejects if it ends before. */
  async uses(password: string): Promise<void> {
    await until(`a workload used the new password:\n${this.#stderr}`, () => {
      if (this.hasEnded) throw new Error(`a workload has ended:\n${this.#stderr}`);
      return this.#used() === password;
    });
  }

  /** Whether its process has ended. */
  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Lets a program that is held back continue. */
  release(): void {
    this.#process.stdin!.write("\n");
  }

  /** Ends it with SIGTERM, as a supervisor does, and waits until it has ended. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#process, "close");
    this.#process.kill();
    await ended;
  }
}

function start(arguments_: readonly string[], folder: string, env: WorkloadPlace["env"]): ChildProcess {
  return spawnNode([PROGRAM, ...arguments_], folder, env);
}

function spawnNode(arguments_: readonly string[], cwd: string, env: WorkloadPlace["env"]): ChildProcess {
  return spawn(process.execPath, arguments_, { cwd, env: { PATH: process.env["PATH"], ...env } });
}

/** The content of a file; empty if it does not exist yet. */
function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
