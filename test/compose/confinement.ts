import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { shellWord } from "../../src/domain/shell-word.ts";
import { librariesOf, nameOf, place } from "./shared-libraries.ts";

/** A file or folder of this machine, mounted in a container at a path that must exist. */
export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly isReadOnly: boolean;
}

/** The environment of a confined process. */
export interface Confinement {
  /** The folder that is its root. */
  readonly root: string;
  readonly isReadOnly: boolean;
  readonly binds: readonly Bind[];
  /** Whether it sees the processes of this machine, or is process 1 of its own PID namespace. */
  readonly pid: "host" | "own";
  /** A process whose network namespace it shares; by default this machine's network. */
  readonly network?: number;
}

/** A command in a confinement, with its user and environment. */
export interface Execution {
  /** "uid:gid". */
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly command: readonly string[];
}

/**
 * The path in each container of `env` and `setpriv`, which start its command, and of their loader and libraries. A
 * container engine mounts its own init program in the same way.
 */
const TOOLS = "/.engine";

const DEVICES = ["null", "zero", "full", "random", "urandom"];

/** Confines processes as a container engine does, with util-linux and coreutils: namespaces, mounts, chroot. */
export class Confiner {
  readonly #tools: string;
  readonly #mountpoint: string;

  /** Two folders: one for programs that go into each container, and one that stays empty. */
  constructor(tools: string, mountpoint: string) {
    this.#tools = tools;
    this.#mountpoint = mountpoint;
    for (const name of ["env", "setpriv"]) this.#takeTool(name);
  }

  /**
   * The command line that starts `execution` in a new confinement. With the `pid` "host", the started process becomes
   * the command by exec. With "own", `unshare` stays as the parent of the command.
   */
  start(confinement: Confinement, execution: Execution): string[] {
    const { network, pid } = confinement;
    const enter = network === undefined ? [] : ["nsenter", `--net=/proc/${network}/ns/net`];
    const own = pid === "own" ? ["--pid", "--fork", "--kill-child", "--ipc"] : [];
    const script = [...this.#mounts(confinement), `exec chroot ${this.#mountpoint} ${this.#words(execution)}`];
    return [...enter, "unshare", "--mount", "--propagation=private", ...own, "sh", "-euc", script.join("\n")];
  }

  /** The command line that runs `execution` in the confinement of a running process, as a health check does. */
  beside(pid: number, execution: Execution): string[] {
    const enter = ["nsenter", `--target=${pid}`, "--mount", "--net", "--pid", "--ipc", "--root", "--wd=/"];
    return [...enter, ...this.#become(execution)];
  }

  #mounts({ root, isReadOnly, binds }: Confinement): string[] {
    const here = (path: string) => shellWord(join(this.#mountpoint, path));
    const bind = ({ from, to, isReadOnly }: Bind) => [
      `mount --bind ${shellWord(from)} ${here(to)}`,
      ...(isReadOnly ? [`mount -o remount,bind,ro ${here(to)}`] : []),
    ];
    return [
      ...bind({ from: root, to: "/", isReadOnly: false }),
      ...[...binds, { from: this.#tools, to: TOOLS, isReadOnly: true }].flatMap(bind),
      `mount -t proc -o nosuid,nodev,noexec proc ${here("/proc")}`,
      `mount -t tmpfs -o mode=755,nosuid tmpfs ${here("/dev")}`,
      ...DEVICES.flatMap((name) => [
        `: > ${here(`/dev/${name}`)}`,
        `mount --bind /dev/${name} ${here(`/dev/${name}`)}`,
      ]),
      `ln -s /proc/self/fd ${here("/dev/fd")}`,
      `mkdir -m 1777 ${here("/dev/shm")}`,
      `mount -t tmpfs -o size=64m tmpfs ${here("/dev/shm")}`,
      ...(isReadOnly ? [`mount -o remount,bind,ro ${here("/")}`] : []),
      "ulimit -c 0",
    ];
  }

  #words(execution: Execution): string {
    return this.#become(execution).map(shellWord).join(" ");
  }

  /** Sets the environment, then the user without capabilities and no_new_privs, and executes the command. */
  #become({ user, env, workdir, command }: Execution): string[] {
    const [uid, gid] = user.split(":");
    const loader = [`${TOOLS}/loader`, "--library-path", `${TOOLS}/lib`];
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const identity = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    const noPrivileges = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL"];
    return [
      ...[...loader, `${TOOLS}/env`, "-i", "-C", workdir, ...variables],
      ...[...loader, `${TOOLS}/setpriv`, ...identity, ...noPrivileges, "--", ...command],
    ];
  }

  #takeTool(name: string): void {
    const program = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    place(program, join(this.#tools, name));
    for (const library of librariesOf(program)) {
      const isLoader = nameOf(library).startsWith("ld-linux");
      place(library, join(this.#tools, isLoader ? "loader" : `lib/${nameOf(library)}`));
    }
  }
}
