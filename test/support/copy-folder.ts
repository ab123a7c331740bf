import { execFileSync } from "node:child_process";

/**
 * Copies a folder or a file as an operator does, with its modes: cpSync loses those of folders on Node 22 and 24. `to`
 * must not be there yet.
 */
export function copyAsIs(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}
