import type { SpiffeId } from "./spiffe-id.ts";

/** An X.509-SVID of our own: what we show to others, and the key that proves it is ours. */
export interface Svid {
  readonly id: SpiffeId;
  /** The certificates in DER, leaf first, then the intermediates. */
  readonly chain: readonly Buffer[];
  /** The same chain in PEM, as node:tls takes it. */
  readonly certPem: string;
  /** The private key in PKCS#8 PEM, as node:tls takes it. A secret: never log it. */
  readonly keyPem: string;
  /** When the leaf expires, in milliseconds since the epoch. */
  readonly notAfter: number;
}
