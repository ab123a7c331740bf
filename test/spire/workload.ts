import { parseAddress } from "../../src/domain/address.ts";
import { processTimers } from "../../src/domain/timers.ts";
import type { IdentitySource, IdentityState } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { X509Certificate } from "node:crypto";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";

/** What a workload of these tests is told as its only argument, in JSON. Its identity comes from the Workload API. */
export interface Orders {
  /** Where Coffer is. */
  readonly address: string;
  readonly serverId: string;
  /** A secret that the workload may read. */
  readonly path: string;
  /** How long it waits between two calls, in milliseconds. */
  readonly pauseMs: number;
}

/** Reads the orders. */
export function readOrders() {
  const { address, serverId, ...orders }: Orders = JSON.parse(process.argv[2]!);
  return { ...orders, address: parseAddress(address), serverId: SpiffeId.parse(serverId) };
}

/** Writes a line for the test, with the time. */
export function say(event: string, fields: object = {}): void {
  process.stderr.write(`${JSON.stringify({ event, time: Date.now(), ...fields })}\n`);
}

/** The identity of this process, which says each change of it: see {@link describe}. */
export function openIdentity(): IdentitySource {
  const source = WorkloadApiSource.open({
    endpoint: parseEndpoint(process.env["SPIFFE_ENDPOINT_SOCKET"]!),
    selection: { kind: "default" },
    purpose: "client",
    timers: processTimers,
  });
  source.onState((state) => say("identity", describe(state)));
  return source;
}

/** What a workload says of its identity. */
export interface IdentityLine {
  readonly kind: IdentityState["kind"];
  readonly problems: readonly string[];
  /** How many there have been. */
  readonly generation?: number;
  /** The name of the authority that signed its SVID, which SPIRE makes different for each. */
  readonly issuer?: string;
  /** How many certificates it shows to others. */
  readonly chain?: number;
  /** Until when others accept it, in milliseconds since the epoch. */
  readonly validUntil?: number;
  /** When its authorities expire, in milliseconds since the epoch, by trust domain. */
  readonly authorities?: Readonly<Record<string, readonly number[]>>;
}

function describe({ kind, problems, ...state }: IdentityState): IdentityLine {
  if (!("snapshot" in state)) return { kind, problems };
  const { svid, bundles, validUntil, generation } = state.snapshot;
  const { issuer } = new X509Certificate(svid.certPem);
  const ends = [...bundles].map(([name, bundle]) => [name, bundle.authorities.map(({ notAfter }) => notAfter)]);
  const authorities = Object.fromEntries(ends);
  return { kind, problems, generation, issuer, chain: svid.chain.length, validUntil, authorities };
}
