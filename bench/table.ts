import type { JobResult } from "./job.ts";
import type { Options } from "./options.ts";
import type { Requirement } from "./requirement.ts";
import { type Figure, type Rounds, type Spread, ratio, spread } from "./rounds.ts";

/** The conditions of a measurement, for a title. */
export function conditions({ connections, inFlight, rounds, seconds }: Options): string {
  return `${connections} x ${inFlight} in flight, ${seconds} s, median of ${rounds} (least-most)`;
}

/** Rates, latencies and CPU time of each server. Rates also show the least and the most, and are compared with `base`. */
export function ratesTable(rounds: Rounds, base: string): string {
  const row = (name: string) => {
    const cell = (figure: Figure, digits: number) => spread(rounds, name, figure).median.toFixed(digits);
    return [
      name,
      withRange(
        spread(rounds, name, (result) => result.rate),
        0,
      ),
      withRange(
        ratio(rounds, name, base, (result) => result.rate),
        2,
      ),
      cell((result) => result.p50, 1),
      cell((result) => result.p99, 1),
      cell((result) => result.serverMicros, 0),
      cell(({ serverMicros, rate }) => (serverMicros * rate) / 1e6, 2),
      cell((result) => result.clientLoad * 100, 0),
      cell(({ clientLoad, rate }) => (clientLoad * 1e6) / rate, 0),
      cell((result) => result.othersLoad * 100, 0),
      errorsOf(rounds.get(name)!),
    ];
  };
  const head = [
    "server",
    "rps",
    `x ${base}`,
    "p50 ms",
    "p99 ms",
    "CPU us/call",
    "cores",
    "client %",
    "client us/call",
    "others %",
    "errors",
  ];
  return columns([head, ...[...rounds.keys()].map(row)]);
}

/** The errors of all rounds. */
export function errorsOf(results: readonly JobResult[]): string {
  const errors = results.flatMap((result) => Object.entries(result.errors).map(([what, count]) => `${count} ${what}`));
  return errors.length === 0 ? "0" : errors.join(", ");
}

/** Each requirement, and whether it was met. */
export function requirementsTable(requirements: readonly Requirement[]): string {
  return columns(
    requirements.map((requirement) => {
      const { outcome, what } = requirement;
      if (outcome === "not measured") return [outcome, what, requirement.why, ""];
      return [outcome, what, withRange(requirement.measured, 2), requirement.bound];
    }),
  );
}

/** A median with the least and the most. */
export function withRange({ median, least, most }: Spread, digits: number): string {
  const show = (value: number) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${show(median)} (${show(least)}-${show(most)})`;
}

/** A number without decimals. */
export function whole(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 0 });
}

/** Aligns the cells of rows, which all have the same number of cells. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
