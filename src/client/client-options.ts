import { randomUUID } from "node:crypto";
import { type Address, AddressError, parseAddress } from "../domain/address.ts";
import { type Timers, processTimers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { invalidOption } from "./client-error.ts";
import type { IdentityOption, OpenIdentity } from "./identity-option.ts";
import { type NamesOf, checkOptions } from "./known-options.ts";
import { flagOf } from "./request-fields.ts";
import { readSpiffeId } from "./values.ts";

/** The options of a {@link CofferClient}. `address` and `serverId` are required. */
export interface ClientOptions {
  /**
   * The server: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. With several addresses, one is in use at a
   * time, initially the first. If it fails, the client switches to the next one. All IP addresses of a host name are
   * tried.
   */
  readonly address: string | Address | readonly (string | Address)[];
  /**
   * The server's SPIFFE ID, such as `spiffe://example.org/coffer`. It is compared exactly, and has no default: requests
   * contain secrets, and any workload of the trust domain could answer at the address.
   */
  readonly serverId: string | Uint8Array | SpiffeId;
  /**
   * The source of this workload's own identity. The default is the Workload API at SPIFFE_ENDPOINT_SOCKET, or without
   * that variable the files in COFFER_CERT, COFFER_KEY and COFFER_BUNDLE. The same program therefore works with the
   * Workload API in production and with files on a developer's machine.
   */
  readonly identity?: IdentityOption | undefined;
  /**
   * The maximum duration of a call in milliseconds, including connecting and all attempts. The default is 10,000:
   * longer than a restart of a server, and shorter than the usual deadlines of a workload's own callers. `list` applies
   * it to each page.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether a call waits, until its timeout, while there is no connection or no identity. True by default, because a
   * workload can start before its server, and a server can be restarted. If false, a call fails as soon as no address
   * answers.
   */
  readonly waitForReady?: boolean | undefined;
  /**
   * Whether the client repeats failed calls where the table of errors in coffer.proto permits it: calls that were
   * not applied, calls that only read, and changes with a request_id. True by default.
   */
  readonly retry?: boolean | undefined;
  /**
   * Whether the client sends a request_id with each change. True by default: the server applies a change with a
   * request_id once, so the client can repeat it when the answer is lost. The server keeps each request_id for 24 hours
   * and has a limit for each caller (`--max-request-ids`). If false, a change that may have been applied is not repeated.
   */
  readonly requestIds?: boolean | undefined;
}

/** Further options for Coffer's own code: an identity that is open already, and sources of time and randomness. */
export interface InternalOptions extends Omit<ClientOptions, "identity"> {
  readonly identity?: IdentityOption | OpenIdentity | undefined;
  readonly timers?: Timers | undefined;
  /** Returns numbers in [0, 1), which vary the pauses between attempts; Math.random by default. */
  readonly random?: (() => number) | undefined;
  /** Returns a new UUID; crypto.randomUUID by default. */
  readonly newRequestId?: (() => string) | undefined;
  /**
   * After how many milliseconds without a message a watch reconnects; 20,000 by default. The server sends a heartbeat at
   * least every 15 seconds.
   */
  readonly watchSilenceMs?: number | undefined;
  /** The environment variables; process.env by default. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The checked options, with their defaults. */
export interface ClientSettings {
  readonly addresses: readonly Address[];
  readonly serverId: SpiffeId;
  readonly timeoutMs: number;
  readonly waitForReady: boolean;
  readonly retry: boolean;
  readonly requestIds: boolean;
  readonly timers: Timers;
  readonly random: () => number;
  readonly newRequestId: () => string;
  readonly watchSilenceMs: number;
}

const CLIENT_OPTIONS: NamesOf<InternalOptions> = {
  address: true,
  serverId: true,
  identity: true,
  timeoutMs: true,
  waitForReady: true,
  retry: true,
  requestIds: true,
  timers: true,
  random: true,
  newRequestId: true,
  watchSilenceMs: true,
  environment: true,
};

/** Checks all options except the identity. Throws {@link ClientError}. */
export function readSettings(options: InternalOptions): ClientSettings {
  checkOptions(options, CLIENT_OPTIONS);
  const addresses = [options.address].flat().map((address) => readAddress(address as string | Address));
  if (addresses.length === 0) throw invalidOption("address is an empty list");
  const serverId = readSpiffeId("serverId", options.serverId);
  // X509-SVID 5.2: no server can prove an ID without a path, because the SPIFFE ID of a leaf has one.
  if (!serverId.isWorkload) throw invalidOption(`serverId ${serverId} is that of a trust domain, not of a server`);
  return {
    addresses,
    serverId,
    timeoutMs: checkTimeout(options.timeoutMs ?? 10_000),
    waitForReady: flagOf("waitForReady", options.waitForReady) ?? true,
    retry: flagOf("retry", options.retry) ?? true,
    requestIds: flagOf("requestIds", options.requestIds) ?? true,
    timers: options.timers ?? processTimers,
    random: options.random ?? Math.random,
    newRequestId: options.newRequestId ?? randomUUID,
    watchSilenceMs: options.watchSilenceMs ?? 20_000,
  };
}

// A timer of Node can wait for 2^31 - 1 ms. With a longer time, it fires immediately.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Checks a timeout in milliseconds. Throws {@link ClientError}. */
export function checkTimeout(ms: number): number {
  if (ms > 0 && ms <= MAX_TIMEOUT_MS) return ms;
  throw invalidOption(`timeoutMs is ${ms}; expected milliseconds, more than 0 and at most ${MAX_TIMEOUT_MS}`);
}

/**
 * Checks that a signal, if there is one, is an AbortSignal. With another object, the callback that grpc-js calls at the
 * end of a call would throw, which ends the process. Throws {@link ClientError}.
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal && typeof signal.addEventListener !== "function") throw invalidOption("signal is not an AbortSignal");
}

function readAddress(address: string | Address): Address {
  if (typeof address === "object" && address !== null) return address;
  if (typeof address !== "string") throw invalidOption("address is required, such as 127.0.0.1:8553");
  try {
    return parseAddress(address);
  } catch (error) {
    if (error instanceof AddressError) throw invalidOption(`address: ${error.message}`);
    throw error;
  }
}
