import { isExecutable } from "./executable.ts";
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { PROGRAM } from "./cli-kit.ts";

/** SPIRE's two programs. */
export interface SpirePrograms {
  readonly server: string;
  readonly agent: string;
}

/** A user of this machine that no other test uses, to check what an unrelated user may do. */
const PROBE_UID = 21_000;

/** SPIRE's programs: those that the environment names, otherwise those on the PATH; undefined unless both exist. */
export function findSpire(): SpirePrograms | undefined {
  const server = process.env["SPIRE_SERVER_BIN"] ?? onPath("spire-server");
  const agent = process.env["SPIRE_AGENT_BIN"] ?? onPath("spire-agent");
  return server !== undefined && agent !== undefined ? { server, agent } : undefined;
}

/**
 * Why these tests can't run here; false if they can. SPIRE distinguishes workloads by their user, because every Node
 * program has the same executable, and only root can start programs as other users.
 */
export function reasonToSkip(): string | false {
  if (findSpire() === undefined) return "no SPIRE here: `npm run test:spire` builds it, which needs Go";
  if (process.getuid?.() !== 0) return "only root can start workloads as several users";
  const { status, stderr, error } = spawnSync(process.execPath, [PROGRAM, "--version"], {
    uid: PROBE_UID,
    gid: PROBE_UID,
    cwd: "/",
    encoding: "utf8",
  });
  return status !== 0 && `other users can't run ${process.execPath} with this clone: ${error?.message ?? stderr}`;
}

function onPath(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}
