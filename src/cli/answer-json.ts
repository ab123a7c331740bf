import { showTime } from "./printable.ts";

/**
 * Formats an answer of the server as JSON for scripts: names in snake_case as in coffer.proto, times as RFC 3339, and
 * durations in seconds, as the JSON encoding of protobuf has them. Fields that are undefined are left out.
 */
export function answerJson(answer: object): string {
  return `${JSON.stringify(jsonOf(answer), null, 2)}\n`;
}

/** Fields whose keys are names that users chose. */
const MAPS: ReadonlySet<string> = new Set(["labels", "data", "binaryData"]);

function jsonOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => fieldOf(name, field)));
}

function fieldOf(name: string, value: unknown): readonly [name: string, value: unknown] {
  if (typeof value === "number" && name.endsWith("Time")) return [snakeCase(name), showTime(value)];
  if (typeof value === "number" && name.endsWith("TtlMs")) return [snakeCase(name.slice(0, -2)), `${value / 1000}s`];
  return [snakeCase(name), MAPS.has(name) ? value : jsonOf(value)];
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
