/**
 * Milliseconds that a call of a test may take before it counts as one that hangs. No test waits for it to pass: it is far
 * more than the slowest machine needs, and less than the time after which the runner ends a test.
 */
export const PATIENCE_MS = 300_000;
