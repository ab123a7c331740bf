import { type Environment, type GivenFlags, OptionReader, DEFAULT_ADDRESS } from "../config/option.ts";
import { type NamedBundle, parseDuration, parseNamedBundle, parseSpiffeId } from "../config/value.ts";
import { type BundleFile, type IdentityChoice, readIdentityChoice } from "../config/identity-choice.ts";
import { openIdentity } from "../app/open-identity.ts";
import { type Address, parseAddress } from "../domain/address.ts";
import { CofferClient } from "../client/coffer-client.ts";
import type { Timers } from "../domain/timers.ts";
import type { IdentityFiles } from "../identity/identity-files.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { whenReady } from "../identity/when-ready.ts";
import { connectionOptions, DEFAULT_TIMEOUT } from "./connection-options.ts";

// Milliseconds that files which can't be used get: they may be in the middle of a rotation. Nobody at a terminal who has
// mistyped a name waits for longer.
const FILES_PATIENCE_MS = 1000;

/** What is needed to call a server. */
export interface ConnectionConfig {
  readonly address: Address;
  readonly identity: IdentityChoice;
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
}

/** Reads flags, then COFFER_* variables, then defaults. Throws ConfigurationError with everything that is wrong. */
export function readConnection(flags: GivenFlags, environment: Environment): ConnectionConfig {
  const reader = new OptionReader(flags, environment);
  const options = connectionOptions;
  const address = reader.optional(options.addr, parseAddress) ?? parseAddress(DEFAULT_ADDRESS);
  const serverId = reader.required(options.serverId, parseSpiffeId);
  const identity = readIdentityChoice(reader, options, (text) => readBundle(text, serverId));
  if (identity?.kind === "files") checkBundles(reader, identity.files.bundles, serverId);
  const timeoutMs = reader.optional(options.timeout, parseDuration) ?? parseDuration(DEFAULT_TIMEOUT);
  return { address, timeoutMs, ...reader.complete({ identity, serverId }) };
}

/** Without it no server could be the one that is meant. */
function checkBundles(reader: OptionReader, bundles: IdentityFiles["bundles"], serverId: SpiffeId | undefined): void {
  const wanted = serverId?.trustDomain.name;
  if (wanted === undefined || bundles.size === 0 || bundles.has(wanted)) return;
  reader.problem(`${connectionOptions.bundle.flag}: no bundle for ${wanted}, the trust domain of --server-id`);
}

/**
 * A bundle that names no trust domain is that of the server's. What comes before "=" is a trust domain where it can be
 * one: `./a=b.pem` is a file.
 */
function readBundle(text: string, serverId: SpiffeId | undefined): BundleFile {
  const named = namedBundle(text);
  return named ? [named.trustDomain.name, named.file] : [serverId?.trustDomain.name ?? "", text];
}

function namedBundle(text: string): NamedBundle | undefined {
  try {
    return parseNamedBundle(text);
  } catch {
    return undefined;
  }
}

/**
 * Calls `use` with a client, and ends both it and its identity afterwards. Throws MaterialError when there is no usable
 * identity and there never will be one.
 */
export async function withClient<Result>(
  { address, identity, serverId, timeoutMs }: ConnectionConfig,
  timers: Timers,
  use: (client: CofferClient) => Promise<Result>,
): Promise<Result> {
  const source = await openIdentity(identity, "client", timers);
  const client = CofferClient.connect({ address, identity: source, serverId, timeoutMs, clock: timers.clock });
  try {
    await untilReady(source, identity.kind === "files" ? FILES_PATIENCE_MS : timeoutMs);
    return await use(client);
  } finally {
    client.close();
    source.close();
  }
}

/** An identity that is still to come is the matter of the first call, which says so, or is repeated until it is there. */
async function untilReady(source: IdentitySource, patienceMs: number): Promise<void> {
  try {
    await whenReady(source, AbortSignal.timeout(patienceMs));
  } catch (error) {
    if (source.state.kind === "failed") throw error;
  }
}
