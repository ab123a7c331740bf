/**
 * The number of front threads of the servers that tests start: 1 by default, 3 with `npm test -- --threads=3`. Every
 * test of a server must pass with any number, unless it scripts the timers of its front, which must then be in the
 * thread of the test.
 */
export const THREADS = Number(process.env["COFFER_TEST_THREADS"] ?? "1");
