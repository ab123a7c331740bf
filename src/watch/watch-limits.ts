/** How much a watcher remembers. Beyond it, the watcher finds what it has to send in the store. */
export interface WatchLimits {
  /** The most paths that wait to be sent. */
  readonly pending: number;
  /** The number of paths for which memory is taken from the caller's budget at a time. The first step needs no space in it. */
  readonly pendingStep: number;
}

/** Tests use lower limits, which are reached with fewer secrets. */
export const WATCH_LIMITS: WatchLimits = {
  pending: 4096,
  pendingStep: 64,
};
