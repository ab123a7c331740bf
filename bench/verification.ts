import { systemClock } from "../src/domain/timers.ts";
import { Bundle } from "../src/spiffe/bundle.ts";
import { verifySvid } from "../src/spiffe/verify.ts";
import { CertificateForge } from "../test/support/certificate-forge.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import { TRUST_DOMAIN } from "./run-folder.ts";

/** The time that the verification of one peer's chain takes. */
export interface Verification {
  /** Milliseconds, by the number of certificates that the peer sends: the spread of the medians of the rounds. */
  readonly millis: ReadonlyMap<number, Spread>;
  readonly requirements: readonly Requirement[];
}

/** The number of peers in a round, and in the warm-up, after which V8 has compiled the code. */
export const PEERS = 1000;
const WARM_UP_PEERS = 3000;

/** The bound in milliseconds for each connection. */
const AT_MOST = 0.5;

/** Verifies chains of one certificate and of two in each round. No two chains share a certificate or a key. */
export function measureVerification({ rounds }: Options): Verification {
  const peers = new Peers();
  const medians = new Map<number, number[]>([1, 2].map((length) => [length, []]));
  for (const length of medians.keys()) peers.medianMillis(length, WARM_UP_PEERS);
  for (let round = 0; round < rounds; round++) {
    for (const [length, found] of medians) found.push(peers.medianMillis(length, PEERS));
  }
  const millis = new Map([...medians].map(([length, found]) => [length, spreadOf(found)]));
  const requirements = [...millis].map(([length, spread]) =>
    atMost(`verify: ms for a chain of ${length} on P-256`, spread, AT_MOST),
  );
  return { millis, requirements };
}

/** Workloads of one trust domain, and the bundle that verifies them. */
class Peers {
  readonly #ca = new CertificateForge().ca(`spiffe://${TRUST_DOMAIN.name}`);
  readonly #bundles = new Map([
    [TRUST_DOMAIN.name, Bundle.fromPem(TRUST_DOMAIN, Buffer.from(this.#ca.bundlePem), "bundle")],
  ]);

  /** The median over `count` new peers. */
  medianMillis(length: number, count: number): number {
    const chains = Array.from({ length: count }, (_, number) => this.#chain(length, number));
    return spreadOf(chains.map((chain) => this.#millis(chain))).median;
  }

  #chain(length: number, number: number): readonly Buffer[] {
    const issuer = length === 1 ? this.#ca : this.#ca.intermediate();
    return issuer.issue({ id: `spiffe://${TRUST_DOMAIN.name}/ns/shop/sa/api-${number}` }).chain;
  }

  #millis(chain: readonly Buffer[]): number {
    const startedAt = performance.now();
    verifySvid(chain, this.#bundles, systemClock(), "client");
    return performance.now() - startedAt;
  }
}
