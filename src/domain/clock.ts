/** The time in milliseconds since the epoch. A parameter everywhere, so that tests decide what time it is. */
export type Clock = () => number;

/** The machine's clock. It may jump; whoever stores times clamps them. */
export const systemClock: Clock = () => Date.now();
