/** How much a watcher remembers. Beyond it, the watcher finds what it has to send in the store. */
export interface WatchLimits {
  /** The most paths that wait to be sent. */
  readonly pending: number;
  /** The number of paths for which memory is taken from the caller's budget at a time. The first step needs no space in it. */
  readonly pendingStep: number;
  /**
   * The numbers of candidates that can be selected at once, in descending order. The first one for which the budget has
   * space is used.
   */
  readonly selections: readonly number[];
  /** The number of candidates that is used if the budget has space for none of these. It needs no space in the budget. */
  readonly leastSelection: number;
}

/** Tests use lower limits, which are reached with fewer secrets. */
export const WATCH_LIMITS: WatchLimits = {
  pending: 4096,
  pendingStep: 64,
  selections: [2048, 512],
  leastSelection: 64,
};
