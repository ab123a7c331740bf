import { type Environment, type GivenFlags, OptionReader, defineOption } from "../app/config-option.ts";
import { type NamedBundle, parseDuration, parseNamedBundle, parseSpiffeId } from "../app/config-value.ts";
import { DEFAULT_ADDRESS } from "../app/serve-options.ts";
import { type Address, parseAddress } from "../domain/address.ts";
import { CofferClient } from "../client/coffer-client.ts";
import type { Timers } from "../domain/timers.ts";
import { FileSource, type IdentityFiles } from "../identity/file-source.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";

const DEFAULT_TIMEOUT = "10s";

/** The options that every command has that calls a server. */
export const connectionOptions = {
  addr: defineOption("--addr", "<address>", "the server: HOST:PORT, [IPV6]:PORT or unix:PATH", {
    standard: DEFAULT_ADDRESS,
  }),
  cert: defineOption("--cert", "<pem>", "your X.509-SVID, with its intermediates"),
  key: defineOption("--key", "<pem>", "the private key of your SVID"),
  bundle: defineOption("--bundle", "<pem>", "the authorities of the server's trust domain, or <trust-domain>=<pem>", {
    repeatable: true,
  }),
  serverId: defineOption("--server-id", "<spiffe-id>", "the server's SPIFFE ID; nobody else is sent anything"),
  timeout: defineOption("--timeout", "<duration>", "how long a call may take: 500ms, 10s, 5m", {
    standard: DEFAULT_TIMEOUT,
  }),
};

/** What is needed to call a server. */
export interface ConnectionConfig {
  readonly address: Address;
  readonly files: IdentityFiles;
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
}

/** Reads flags, then COFFER_* variables, then defaults. Throws ConfigurationError with everything that is wrong. */
export function readConnection(flags: GivenFlags, environment: Environment): ConnectionConfig {
  const reader = new OptionReader(flags, environment);
  const options = connectionOptions;
  const address = reader.optional(options.addr, parseAddress) ?? parseAddress(DEFAULT_ADDRESS);
  const cert = reader.required(options.cert, (text) => text);
  const key = reader.required(options.key, (text) => text);
  const serverId = reader.required(options.serverId, parseSpiffeId);
  const bundles = readBundles(reader, serverId);
  const timeoutMs = reader.optional(options.timeout, parseDuration) ?? parseDuration(DEFAULT_TIMEOUT);
  reader.finish();
  return { address, files: { cert: cert!, key: key!, bundles }, serverId: serverId!, timeoutMs };
}

/** A bundle that names no trust domain is that of the server's. */
function readBundles(reader: OptionReader, serverId: SpiffeId | undefined): ReadonlyMap<string, string> {
  const option = connectionOptions.bundle;
  if (!reader.isGiven(option)) reader.missing(option);
  const bundles = new Map(reader.all(option, (text) => readBundle(text, serverId)));
  const wanted = serverId?.trustDomain.name;
  if (wanted !== undefined && bundles.size > 0 && !bundles.has(wanted)) {
    reader.problem(`${option.flag}: no bundle for ${wanted}, the trust domain of --server-id`);
  }
  return bundles;
}

/** What comes before "=" is a trust domain where it can be one: `./a=b.pem` is a file. */
function readBundle(text: string, serverId: SpiffeId | undefined): [trustDomain: string, file: string] {
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

/** A client, and the identity that it calls with; both are to be closed. */
export interface OpenClient {
  readonly client: CofferClient;
  readonly identity: IdentitySource;
}

/** Reads the identity and makes a client. Throws MaterialError when the files are no usable identity. */
export function openClient({ address, files, serverId, timeoutMs }: ConnectionConfig, timers: Timers): OpenClient {
  const identity = FileSource.open({ files, purpose: "client", timers });
  try {
    identity.snapshot();
  } catch (error) {
    identity.close();
    throw error;
  }
  const client = CofferClient.connect({ address, identity, serverId, timeoutMs, clock: timers.clock });
  return { client, identity };
}
