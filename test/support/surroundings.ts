import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MAIN, type ServerProcess, type Site } from "./server-process.ts";

/** A user without a name: /etc/passwd has no line with this number. */
export const UNPRIVILEGED = 21_011;

/**
 * In front of the command line of a program, this runs the program as that user, permanently, without groups or
 * capabilities, as a container runtime does.
 */
export const AS_UNPRIVILEGED = `setpriv --reuid=${UNPRIVILEGED} --regid=${UNPRIVILEGED} --clear-groups --no-new-privs --bounding-set=-all`;

/** Why no namespaces can be created here; undefined if they can. */
export function whyNoSurroundings(): string | undefined {
  const script = `mount -t tmpfs tmpfs /mnt && command -v mkfifo && exec ${AS_UNPRIVILEGED} "$@"`;
  const arguments_ = ["--mount", "--pid", "--fork", "sh", "-c", script, "sh", process.execPath, MAIN, "--version"];
  const { status, stderr } = spawnSync("unshare", arguments_, { cwd: "/", encoding: "utf8" });
  if (status === 0) return undefined;
  return `needs root, its own namespaces, and a clone that other users can run: ${stderr ?? "no unshare"}`;
}

const FAILS = 'fails() { if "$@" 2>&-; then echo "must not work: $*" >&2; exit 99; fi; }';

/**
 * The command line that starts a server in its own mount namespace, after a script has changed what the server will
 * see. In the script, `$0` is the site's folder, `"$@"` is the server, and `fails` ends everything if a command
 * succeeds that must fail.
 */
export function surrounded(site: Site, script: string, namespaces: readonly string[] = []): string[] {
  return ["unshare", "--mount", ...namespaces, "sh", "-c", `set -e; ${FAILS}; ${script}`, site.folder];
}

/** Like {@link surrounded}, with the server as process 1 of a PID namespace, as in a container. */
export function asFirstProcess(site: Site, script = 'exec "$@"'): string[] {
  return surrounded(site, script, ["--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc"]);
}

/** The process ID of the server that `unshare` waits for, as seen from outside of its namespace. */
export function firstProcess({ pid }: ServerProcess): { readonly pid: number } {
  return { pid: Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1")) };
}

/** Makes {@link UNPRIVILEGED} the owner of a site's folder and of the entries directly below it. */
export function giveAway({ folder }: Site): void {
  chmodSync(folder, 0o755);
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))])
    chownSync(path, UNPRIVILEGED, UNPRIVILEGED);
}
