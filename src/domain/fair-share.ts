/** A limited resource, as one of its callers sees it. */
export interface Holding {
  /** What no caller holds. */
  readonly free: number;
  /** What this caller holds. */
  readonly held: number;
}

/**
 * The maximum that one caller may hold of a resource: half of what the others leave free, so that space remains for them.
 * Several callers together can leave almost nothing to the next one. Each may therefore hold `minimum`, even if the others
 * hold everything.
 */
export function fairShare({ free, held }: Holding, minimum = 0): number {
  return Math.max(minimum, Math.floor((free + held) / 2));
}

/** Whether a caller may hold `amount` more. A caller that holds nothing may take all that is free. */
export function fitsFairly(amount: number, holding: Holding, minimum = 0): boolean {
  const { free, held } = holding;
  return held + amount <= fairShare(holding, minimum) || (held === 0 && amount <= free);
}
