const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Parses a duration of a Dockerfile or compose file, such as "30s", to milliseconds. */
export function durationMs(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  if (unit === undefined) throw new Error(`${text} is not a duration that these tests support`);
  return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
