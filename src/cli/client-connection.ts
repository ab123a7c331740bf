import { type Environment, type GivenFlags, OptionReader, DEFAULT_ADDRESS } from "../config/option.ts";
import { parseDuration, parseSpiffeId } from "../config/value.ts";
import { type IdentityChoice, readIdentityChoice } from "../config/identity-choice.ts";
import { openSource } from "../workload-api/open-source.ts";
import { type Address, parseAddress } from "../domain/address.ts";
import { CofferClient } from "../client/coffer-client.ts";
import { readBundleFile } from "../client/identity-option.ts";
import type { Timers } from "../domain/timers.ts";
import type { IdentityFiles } from "../identity/identity-files.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { whenReady } from "../identity/when-ready.ts";
import { connectionOptions, DEFAULT_TIMEOUT } from "./connection-options.ts";

// How long to wait, in milliseconds, for identity files that can't be used yet: they may be in the middle of a
// rotation. The limit is short because a user who mistyped a file name waits for it.
const FILES_PATIENCE_MS = 1000;

/** The configuration of a connection to a server. */
export interface ConnectionConfig {
  readonly address: Address;
  readonly identity: IdentityChoice;
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
}

/** Reads flags, then COFFER_* variables, then defaults. Throws ConfigurationError with all problems. */
export function readConnection(flags: GivenFlags, environment: Environment): ConnectionConfig {
  const reader = new OptionReader(flags, environment);
  const options = connectionOptions;
  const address = reader.optional(options.addr, parseAddress) ?? parseAddress(DEFAULT_ADDRESS);
  const serverId = reader.required(options.serverId, parseSpiffeId);
  const identity = readIdentityChoice(reader, options, (text) => readBundleFile(text, serverId));
  if (identity?.kind === "files") checkBundles(reader, identity.files.bundles, serverId);
  const timeoutMs = reader.optional(options.timeout, parseDuration) ?? parseDuration(DEFAULT_TIMEOUT);
  return { address, timeoutMs, ...reader.complete({ identity, serverId }) };
}

/** Requires a bundle for the trust domain of --server-id, because the client can't verify the server without it. */
function checkBundles(reader: OptionReader, bundles: IdentityFiles["bundles"], serverId: SpiffeId | undefined): void {
  const wanted = serverId?.trustDomain.name;
  if (wanted === undefined || bundles.size === 0 || bundles.has(wanted)) return;
  reader.problem(`${connectionOptions.bundle.flag}: no bundle for ${wanted}, the trust domain of --server-id`);
}

/**
 * Calls `use` with a client, then closes the client and its identity source. Throws MaterialError when there is no
 * usable identity and waiting would not help.
 */
export async function withClient<Result>(
  { address, identity, serverId, timeoutMs }: ConnectionConfig,
  timers: Timers,
  use: (client: CofferClient) => Promise<Result>,
): Promise<Result> {
  const source = await openSource(identity, "client", timers);
  // By default a failure is reported immediately; --wait repeats the call. A script can decide by the exit code.
  const client = new CofferClient({ address, identity: source, serverId, timeoutMs, timers, retry: false });
  try {
    await untilReady(source, identity.kind === "files" ? FILES_PATIENCE_MS : timeoutMs);
    return await use(client);
  } finally {
    await client.close();
    source.close();
  }
}

/**
 * Waits for the identity. When it has not arrived in time, the first call fails and reports that; `--wait` repeats the
 * call until the identity is there.
 */
async function untilReady(source: IdentitySource, patienceMs: number): Promise<void> {
  try {
    await whenReady(source, AbortSignal.timeout(patienceMs));
  } catch (error) {
    if (source.state.kind === "failed") throw error;
  }
}
