import { type Address, AddressError, parseAddress } from "../domain/address.ts";
import { type Timers, processTimers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { invalidOption } from "./client-error.ts";
import type { IdentityOption, OpenIdentity } from "./identity-option.ts";
import { readSpiffeId } from "./values.ts";

/** What {@link CofferClient} is made with. `address` and `serverId` are required. */
export interface ClientOptions {
  /**
   * The server: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. Of several, one is in use at a time, the first to begin with;
   * when it fails, the next one is tried, and stays in use. All IP addresses of a host name are tried as well.
   */
  readonly address: string | Address | readonly (string | Address)[];
  /**
   * The server's SPIFFE ID, as `spiffe://example.org/coffer`. It is compared exactly, and has no default: requests carry
   * secrets, and any workload of the trust domain could answer at the address.
   */
  readonly serverId: string | Uint8Array | SpiffeId;
  /**
   * Where this workload's own identity comes from. By default the Workload API that SPIFFE_ENDPOINT_SOCKET names, and
   * without that variable the files that COFFER_CERT, COFFER_KEY and COFFER_BUNDLE name: production has the first, a
   * developer's machine the second, and the program is the same.
   */
  readonly identity?: IdentityOption | undefined;
  /**
   * How long a call may take, in milliseconds, with connecting and all of its attempts. 10,000 by default: longer than
   * the restart of a server takes, and shorter than what waits for a workload. `list` applies it to each page.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether a call waits while there is no connection or no identity yet, until its time is over. True by default: a
   * workload may start before its server, and a server is restarted. With false it fails as soon as no address answers.
   */
  readonly waitForReady?: boolean | undefined;
  /**
   * Whether a call that failed is made again where the table of errors in coffer.proto permits it: what was certainly
   * not applied, and what only reads. True by default. A Put or Delete that may have been applied is never repeated.
   */
  readonly retry?: boolean | undefined;
}

/** What Coffer's own parts may pass in addition: an identity that is open already, and the time. */
export interface InternalOptions extends Omit<ClientOptions, "identity"> {
  readonly identity?: IdentityOption | OpenIdentity | undefined;
  readonly timers?: Timers | undefined;
  /** Numbers from 0 up to but not including 1, which spread the attempts; Math.random by default. */
  readonly random?: (() => number) | undefined;
  /** The variables that name the identity by default; those of the process by default. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** What every call may be given. */
export interface CallOptions {
  /** Ends the call when it is aborted, with the code CANCELLED. A Put or Delete under way may be applied all the same. */
  readonly signal?: AbortSignal | undefined;
  /** For this call, instead of the client's. */
  readonly timeoutMs?: number | undefined;
  /** For this call, instead of the client's. */
  readonly waitForReady?: boolean | undefined;
}

/** What a Get may be given. */
export interface GetOptions extends CallOptions {
  /** The version to read. The newest by default. */
  readonly version?: number | undefined;
}

/** What a Put may be given. */
export interface PutOptions extends CallOptions {
  /**
   * The latest version must be this, whatever its state, or the call fails with VERSION_MISMATCH; 0: no version was ever
   * written.
   */
  readonly expectedVersion?: number | undefined;
}

/** What a Delete may be given. */
export interface DeleteOptions extends PutOptions {
  /** The versions to delete. The newest by default. */
  readonly versions?: readonly number[] | undefined;
}

/** The options as the client uses them, checked. */
export interface Settings {
  readonly addresses: readonly Address[];
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
  readonly waitForReady: boolean;
  readonly retry: boolean;
  readonly timers: Timers;
  readonly random: () => number;
}

/** Checks all options but the identity. Throws {@link ClientError}. */
export function readSettings(options: InternalOptions): Settings {
  const {
    timeoutMs = 10_000,
    waitForReady = true,
    retry = true,
    timers = processTimers,
    random = Math.random,
  } = options;
  const addresses = [options.address].flat().map((address) => readAddress(address as string | Address));
  if (addresses.length === 0) throw invalidOption("address is an empty list");
  const serverId = readSpiffeId("serverId", options.serverId);
  return { addresses, serverId, timeoutMs: checkTimeout(timeoutMs), waitForReady, retry, timers, random };
}

// A timer of Node can wait for 2^31 - 1 ms; given more it does not wait at all.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Milliseconds, more than none. Throws {@link ClientError}. */
export function checkTimeout(ms: number): number {
  if (ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw invalidOption(`timeoutMs is ${ms}; expected milliseconds, more than 0 and at most ${MAX_TIMEOUT_MS}`);
}

function readAddress(address: string | Address): Address {
  if (typeof address === "object" && address !== null) return address;
  try {
    return parseAddress(address);
  } catch (error) {
    if (error instanceof AddressError) throw invalidOption(`address: ${error.message}`);
    throw error;
  }
}
