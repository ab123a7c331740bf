import type { Command } from "commander";
import { CommandFailed } from "./command-failed.ts";
import { parsed } from "./parsed.ts";
import { parseTime, parseTtl } from "./expiry-text.ts";

/** When a new version expires, as flags. Times are in milliseconds. */
export interface ExpiryFlags {
  readonly ttl?: number;
  readonly expireTime?: number;
}

/** Adds `--ttl` and `--expire-time`. */
export function addExpiry(command: Command): Command {
  return command
    .option("--ttl <duration>", "the new version expires after this time, such as 90s, 12h or 30d", parsed(parseTtl))
    .option("--expire-time <time>", "the new version expires at this time (RFC 3339)", parsed(parseTime));
}

/** The expiry of a new version, for the client. Throws CommandFailed if both flags are set. */
export function expiryOf({ ttl, expireTime }: ExpiryFlags) {
  if (ttl !== undefined && expireTime !== undefined) {
    throw new CommandFailed("usage", "use either --ttl or --expire-time; nothing was changed");
  }
  return { ttlMs: ttl, expireTime };
}
