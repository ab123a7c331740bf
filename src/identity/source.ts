import type { Bundle } from "../spiffe/bundle.ts";
import type { Svid } from "../spiffe/svid.ts";

/** Who we are, and by which authorities we tell who others are. Every peer that has the same bundles accepts the SVID. */
export interface Identity {
  readonly svid: Svid;
  /** Until when peers accept the SVID: the earliest notAfter on its path, in milliseconds since the epoch. */
  readonly validUntil: number;
  /** The bundles by the bare name of their trust domain. Never merged: who is in one says nothing in another. */
  readonly bundles: ReadonlyMap<string, Bundle>;
}

/** An identity as of one moment. Immutable. */
export interface IdentitySnapshot extends Identity {
  /** 1 for the first snapshot of a source, greater for each later one. Of use to see that trust has changed. */
  readonly generation: number;
}

/**
 * Whether a source has an identity. Each problem is a sentence for the log that names what is wrong and where; as long
 * as nothing changes about them the sentences stay the same, so each is logged once.
 * - waiting: nothing that can be used has arrived yet, or what there was has expired. The source goes on looking; the
 *   problems, at least one, say what is missing.
 * - ready: `snapshot` can be used. Problems, if any, say why nothing newer can be had: what there is stays in use; or what
 *   is wrong with the bundle of another trust domain, and whether an older one stands in for it.
 * - failed: there is none, and the source has given up, because waiting would not help. At least one problem.
 */
export type IdentityState =
  | { readonly kind: "waiting"; readonly problems: readonly string[] }
  | { readonly kind: "ready"; readonly snapshot: IdentitySnapshot; readonly problems: readonly string[] }
  | { readonly kind: "failed"; readonly problems: readonly string[] };

/**
 * Where identity comes from: files, or the SPIFFE Workload API. It hands out whole snapshots or nothing, so a new
 * certificate is never seen beside an old key. See whenReady for how to begin. Listeners must not throw.
 */
export interface IdentitySource {
  readonly state: IdentityState;

  /**
   * The snapshot of a source that is ready. Cheap: nothing is read or verified here. Throws MaterialError with the
   * problems when it is not ready.
   */
  snapshot(): IdentitySnapshot;

  /** Calls `listener` with each later snapshot until the returned function is called. */
  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void;

  /** Calls `listener` with each later state until the returned function is called. After the listeners of onChange. */
  onState(listener: (state: IdentityState) => void): () => void;

  /** Stops looking for changes, and tells no more of any. The last state stays readable. */
  close(): void;
}

/** A source that need not be left to its own pace, for whoever opened it. */
export interface ReloadableSource extends IdentitySource {
  /**
   * Looks for something newer now instead of when its time has come: files are read once more, the Workload API is asked
   * once more. What there is stays in use meanwhile. Does nothing once the source has failed or is closed.
   */
  reload(): void;
}
