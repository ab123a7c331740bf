import { ObservedFile } from "../files/observed-file.ts";
import type { Timers } from "../domain/timers.ts";

/** The files of one identity. */
export interface IdentityFiles {
  /** The X.509-SVID in PEM: the leaf, then the intermediates. */
  readonly cert: string;
  /** Its private key in PEM: PKCS#8, SEC 1 or PKCS#1. The file has to be private, see readPrivateFile. */
  readonly key: string;
  /**
   * One file for each trust domain, in PEM or as a SPIFFE bundle in JSON, by the bare name of the trust domain. Other
   * users must not be able to write them.
   */
  readonly bundles: ReadonlyMap<string, string>;
}

/** The files of one identity, as they were at their last observation. */
export class ObservedFiles {
  readonly cert: ObservedFile;
  readonly key: ObservedFile;
  /** By the bare name of the trust domain, as it was configured. */
  readonly bundles: ReadonlyMap<string, ObservedFile>;
  readonly all: readonly ObservedFile[];

  /** Observes all files once. */
  constructor({ cert, key, bundles }: IdentityFiles, timers: Timers) {
    this.cert = ObservedFile.public(cert, timers);
    this.key = ObservedFile.private(key, timers);
    this.bundles = new Map([...bundles].map(([name, file]) => [name, ObservedFile.trusted(file, timers)]));
    this.all = [this.cert, this.key, ...this.bundles.values()];
  }

  /** How long none of the files has changed, in milliseconds. */
  get unchangedMs(): number {
    return Math.min(...this.all.map(({ unchangedMs }) => unchangedMs));
  }
}
