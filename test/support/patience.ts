/**
 * How long a call of a test may take, in milliseconds, before it counts as hanging. No test waits until this time has
 * passed: it is far more than the slowest machine needs, and less than the timeout of the test runner.
 */
export const PATIENCE_MS = 300_000;
