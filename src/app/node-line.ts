/**
 * The release lines of Node from 20 on, each with the day of its last security fixes (github.com/nodejs/Release,
 * schedule.json).
 */
const LAST_FIXES: Readonly<Record<number, string>> = {
  20: "2026-04-30",
  21: "2024-06-01",
  22: "2027-04-30",
  23: "2025-06-01",
  24: "2028-04-30",
  25: "2026-06-01",
  26: "2029-04-30",
};

/** Formats "22, 24 or 26". */
const ALTERNATIVES = new Intl.ListFormat("en-GB", { type: "disjunction" });

/**
 * The last day on which the line of a release such as "v22.12.0" gets security fixes; undefined if this module does not
 * list the line.
 */
export function fixedUntil(version: string): string | undefined {
  return LAST_FIXES[lineOf(version)];
}

/** A warning when the line of a release no longer gets security fixes; undefined otherwise. `now` in milliseconds. */
export function unfixedNode(version: string, now: number): string | undefined {
  const last = fixedUntil(version);
  if (last === undefined || isLater(last, now)) return undefined;
  const line = lineOf(version);
  const maintained = Object.keys(LAST_FIXES).filter(
    (other) => Number(other) > line && isMaintained(Number(other), now),
  );
  const advice = maintained.length === 0 ? "a newer line" : `Node ${ALTERNATIVES.format(maintained)}`;
  return `Node ${line} has had no security fixes since ${last}; run ${advice}`;
}

/** Whether a line gets long-term support and is not past its end. Odd lines end within a year and get none. */
function isMaintained(line: number, now: number): boolean {
  return line % 2 === 0 && isLater(LAST_FIXES[line] ?? "", now);
}

function isLater(day: string, now: number): boolean {
  return Date.parse(`${day}T23:59:59Z`) >= now;
}

function lineOf(version: string): number {
  return Number(/^v?(\d+)\./.exec(version)?.[1]);
}
