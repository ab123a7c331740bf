import { systemClock } from "../src/domain/timers.ts";
import { Bundle } from "../src/spiffe/bundle.ts";
import { verifySvid } from "../src/spiffe/verify.ts";
import { CertificateForge } from "../test/support/certificate-forge.ts";
import type { Options } from "./options.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, spreadOf } from "./rounds.ts";
import { TRUST_DOMAIN } from "./workshop.ts";

/** How long the verifier takes for the chain of one peer. */
export interface Verification {
  /** Milliseconds by the number of certificates that the peer sends: the median of each round, over all rounds. */
  readonly millis: ReadonlyMap<number, Spread>;
  readonly requirements: readonly Requirement[];
}

/** Peers in a round, and before the first one, so that V8 has compiled what it will. */
export const PEERS = 1000;
const WARM_UP_PEERS = 3000;

/** Bound in milliseconds for each connection. */
const AT_MOST = 0.5;

/** Verifies chains of one certificate and of two, in turns. No two have a certificate or a key in common. */
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

/** Workloads of one trust domain, and the bundle by which they are verified. */
class Peers {
  readonly #authority = new CertificateForge().authority(`spiffe://${TRUST_DOMAIN.name}`);
  readonly #bundles = new Map([
    [TRUST_DOMAIN.name, Bundle.fromPem(TRUST_DOMAIN, Buffer.from(this.#authority.bundlePem), "bundle")],
  ]);

  /** Of so many peers, each seen for the first time. */
  medianMillis(length: number, count: number): number {
    const chains = Array.from({ length: count }, (_, number) => this.#chain(length, number));
    return spreadOf(chains.map((chain) => this.#millis(chain))).median;
  }

  #chain(length: number, number: number): readonly Buffer[] {
    const issuer = length === 1 ? this.#authority : this.#authority.intermediate();
    return issuer.issue({ id: `spiffe://${TRUST_DOMAIN.name}/ns/shop/sa/api-${number}` }).chain;
  }

  #millis(chain: readonly Buffer[]): number {
    const startedAt = performance.now();
    verifySvid(chain, this.#bundles, systemClock(), "client");
    return performance.now() - startedAt;
  }
}
