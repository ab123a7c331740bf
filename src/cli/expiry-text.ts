import { parseDuration } from "../config/value.ts";
import { MAX_TTL_MS } from "../contract/limits.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses a time to live in milliseconds: `90s`, `12h`, `30d`. Throws an Error with the expected form. */
export function parseTtl(text: string): number {
  return parseDuration(text, MAX_TTL_MS);
}

/** Formats a time to live with the largest unit that divides it: 86400000 is "1d". */
export function formatTtl(ms: number): string {
  const [unit, size] = Object.entries(MILLISECONDS).findLast(([, size]) => ms % size === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Parses a time of RFC 3339, such as `2027-01-31T12:00:00Z`, to milliseconds since the epoch. */
export function parseTime(text: string): number {
  const time = RFC_3339.test(text) ? Date.parse(text.toUpperCase().replace(" ", "T")) : Number.NaN;
  if (Number.isNaN(time)) throw new Error("invalid time: expected RFC 3339, such as 2027-01-31T12:00:00Z");
  return time;
}
