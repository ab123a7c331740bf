const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A duration as Dockerfiles and compose files write it, such as "30s", in milliseconds. */
export function durationMs(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  if (unit === undefined) throw new Error(`${text} is not a duration that these tests know`);
  return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
