import { spawnSync } from "node:child_process";
import { findSpire } from "../support/programs.ts";

/** The programs of this machine that replace a container engine. */
const TOOLS = ["unshare", "nsenter", "setpriv", "mount", "chroot", "ip", "ldd", "readelf", "npm"];

/** Why these tests can't run here; false if they can. */
export function reasonToSkip(): string | false {
  if (process.platform !== "linux") return "containers need Linux";
  if (process.getuid?.() !== 0) return "only root can start processes as several users, in their own namespaces";
  const missing = TOOLS.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `this machine has no ${missing.join(", ")}`;
  const { status, stderr } = spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "true"], {
    encoding: "utf8",
  });
  if (status !== 0) return `this user may not create namespaces: ${stderr}`;
  return findSpire() === undefined && "no SPIRE here: `npm run test:compose` builds it, which needs Go";
}
