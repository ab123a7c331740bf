import { parseAddress } from "../../src/domain/address.ts";
import { processTimers } from "../../src/domain/timers.ts";
import type { IdentitySource, IdentityState } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { X509Certificate } from "node:crypto";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";

/** The only argument of a workload of these tests, in JSON. Its identity comes from the Workload API. */
export interface WorkloadJob {
  /** The address of Coffer. */
  readonly address: string;
  readonly serverId: string;
  /** A secret that the workload may read. */
  readonly path: string;
  /** The pause between two calls, in milliseconds. */
  readonly pauseMs: number;
}

/** Reads the argument. */
export function readJob() {
  const { address, serverId, ...job }: WorkloadJob = JSON.parse(process.argv[2]!);
  return { ...job, address: parseAddress(address), serverId: SpiffeId.parse(serverId) };
}

/** Writes a line for the test, with the time. */
export function report(event: string, fields: object = {}): void {
  process.stderr.write(`${JSON.stringify({ event, time: Date.now(), ...fields })}\n`);
}

/** Opens the identity of this process, and reports each change of it. */
export function openIdentity(): IdentitySource {
  const source = WorkloadApiSource.open({
    endpoint: parseEndpoint(process.env["SPIFFE_ENDPOINT_SOCKET"]!),
    selection: { kind: "default" },
    purpose: "client",
    timers: processTimers,
  });
  source.onState((state) => report("identity", describe(state)));
  return source;
}

/** A report of the identity. */
export interface IdentityLine {
  readonly kind: IdentityState["kind"];
  readonly problems: readonly string[];
  /** The number of the snapshot. */
  readonly generation?: number;
  /** The name of the CA that issued the SVID. SPIRE's CAs have different names. */
  readonly issuer?: string;
  /** The number of certificates that the workload sends in a handshake. */
  readonly chain?: number;
  /** When the SVID expires, in milliseconds since the epoch. */
  readonly validUntil?: number;
  /** When the CAs in the bundles expire, in milliseconds since the epoch, by trust domain. */
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
