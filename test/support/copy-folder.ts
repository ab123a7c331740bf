import { execFileSync } from "node:child_process";

/**
 * Copies a folder or a file with its modes, as an operator does: cpSync loses the modes of folders on Node 22 and 24.
 * `to` must not exist.
 */
export function copyAsIs(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}
