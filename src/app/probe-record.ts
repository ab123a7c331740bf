import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readPrivateFile } from "../files/private-file.ts";
import type { Environment } from "../config/option.ts";
import { release } from "./release.ts";

/** How this process was started: Node's options on its command line, as in process.execArgv, and the environment. */
export interface NodeInvocation {
  readonly execArgv: readonly string[];
  readonly env: Environment;
}

/** The options of Node that change the behavior of OpenSSL. */
const CRYPTO_OPTIONS =
  /^--(openssl|use-openssl|use-bundled|use-system|enable-fips|force-fips|secure-heap|security-revert|tls-)/;

/**
 * The options of this process that change OpenSSL, with their values. All others are omitted: --require and --import
 * would load code of the server, and the port of a debugger is already in use.
 */
export function cryptoOptions({ execArgv, env }: NodeInvocation): string[] {
  const words = [...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(/\s+/)];
  return words.flatMap((word, place) => {
    if (!CRYPTO_OPTIONS.test(word.replaceAll("_", "-"))) return [];
    const next = words[place + 1];
    return word.includes("=") || next === undefined || /^-|^$/.test(next) ? [word] : [word, next];
  });
}

/** The record of passed probes, for the Node binary of this process. */
export interface ProbeRecord {
  has(): boolean;
  add(): void;
}

const FILE = "node-probes.json";

/** The maximum number of passed probes in the file. One user runs fewer binaries concurrently. */
const MAX_ENTRIES = 16;

/**
 * The file of passed probes: `node-probes.json` in systemd's CACHE_DIRECTORY, else in `$XDG_CACHE_HOME/coffer`, else in
 * `~/.cache/coffer`. It is not in the data folder, because a backup must not carry the result to another machine. It is
 * used only if other users cannot write to it. If it can't be read or written, for example on a read-only file system,
 * every start runs the probe.
 */
export function probeRecord(node: NodeInvocation): ProbeRecord {
  const folder = cacheFolder(node);
  if (folder === undefined) return { has: () => false, add: () => {} };
  const key = keyOf(node);
  return {
    has: () => entries(folder).includes(key),
    add: () => replace(folder, [...entries(folder).filter((entry) => entry !== key), key].slice(-MAX_ENTRIES)),
  };
}

/** Undefined if the user has no home folder. */
function cacheFolder({ env }: NodeInvocation): string | undefined {
  const [unit] = env["CACHE_DIRECTORY"]?.split(":") ?? [];
  if (unit) return unit;
  const base = env["XDG_CACHE_HOME"] || join(home() ?? "", ".cache");
  return isAbsolute(base) ? join(base, "coffer") : undefined;
}

function home(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

function entries(folder: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(readPrivateFile(join(folder, FILE)).toString("utf8"));
    return Array.isArray(list) ? list.filter((entry) => typeof entry === "string") : [];
  } catch {
    return [];
  }
}

/** Replaces the file atomically, because another server may replace it at the same time. The later file is kept. */
function replace(folder: string, list: readonly string[]): void {
  const temporary = join(folder, `${FILE}.${process.pid}`);
  try {
    makeFolder(folder);
    // A process with the same ID that was killed may have left its temporary file.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, JSON.stringify(list), { mode: 0o600, flag: "wx" });
    renameSync(temporary, join(folder, FILE));
  } catch {
    // The next start runs the probe.
  }
}

/**
 * Creates a folder and its parent, because a new user has no `~/.cache`. This is not a recursive mkdirSync: in a home
 * folder below /proc, Node would try forever, and no signal would end the process, because mkdir(2) reports there that
 * the parent is missing (ENOENT), and that the same parent exists (EEXIST).
 */
function makeFolder(folder: string): void {
  for (const each of [dirname(folder), folder]) if (!existsSync(each)) mkdirSync(each, { mode: 0o700 });
}

/**
 * A hash of everything that the result depends on: the binary, its shared libraries and its options, and this build of
 * the program.
 */
function keyOf(node: NodeInvocation): string {
  const files = [process.execPath, ...libraries(), fileURLToPath(new URL("../commit", import.meta.url))];
  const options = [cryptoOptions(node), node.env["OPENSSL_CONF"], node.env["OPENSSL_MODULES"]];
  const subject = [release(), process.versions, options, files.map(identityOf)];
  return createHash("sha256").update(JSON.stringify(subject)).digest("base64url");
}

/**
 * The shared libraries of OpenSSL and of Node that this process has loaded (proc_pid_maps(5)). The binary that
 * nodejs.org publishes has none; the packages of Linux distributions do.
 */
function libraries(): string[] {
  try {
    const maps = readFileSync("/proc/self/maps", "latin1");
    const mapped = [...maps.matchAll(/ r-xp .* (\/\S*lib(?:node|ssl|crypto)\S*)$/gm)].map(([, path]) => path ?? "");
    return [...new Set(mapped)].sort();
  } catch {
    return [];
  }
}

function identityOf(path: string): readonly unknown[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  return [path, stats?.size, stats?.mtimeMs];
}
