import type { Options } from "./options.ts";
import { spreadOf } from "./rounds.ts";
import { columns, requirementsTable, whole, withRange } from "./table.ts";
import type { Deliveries } from "./watch-job.ts";
import type { Beside, Watches } from "./watch.ts";

/** The deliveries to watchers, and the answers to the same changes. */
export function watchReport(
  { deliveries, beside, watchers, requirements }: Watches,
  { rounds, seconds }: Options,
): string {
  const row = ([name, found]: [string, readonly Deliveries[]]) => {
    const cell = (figure: (deliveries: Deliveries) => number, digits = 2) =>
      withRange(spreadOf(found.map(figure)), digits);
    const hasWatchers = found.every(({ due }) => due > 0);
    const ofDeliveries = (figure: (deliveries: Deliveries) => number, digits = 2) =>
      hasWatchers ? cell(figure, digits) : "-";
    return [
      name,
      ofDeliveries(({ delivered }) => delivered.p50),
      ofDeliveries(({ delivered }) => delivered.p99),
      ofDeliveries(({ delivered }) => delivered.worst),
      cell(({ answered }) => answered.p50),
      cell(({ answered }) => answered.p99),
      cell(({ answered }) => answered.serverMicros, 0),
      ofDeliveries(({ delivered }) => delivered.serverMicros, 0),
      cell(({ answered }) => answered.clientLoad * 100, 0),
      cell(({ answered }) => answered.othersLoad * 100, 0),
      whole(found.reduce((sum, { due, delivered }) => sum + due - delivered.calls, 0)),
    ];
  };
  const head = ["watchers", "p50", "p99", "slowest", "answer p50", "answer p99", "CPU us/change"];
  return [
    `watch: ms from the beginning of a change to its delivery and to its answer, ${seconds} s, median of ${rounds} (least-most)`,
    columns([[...head, "/delivery", "client %", "others %", "not delivered"], ...[...deliveries].map(row)]),
    "",
    `watch: calls beside ${watchers} idle clients, compared with none`,
    columns([["calls, idle clients", "rate", "CPU/call"], ...[...beside].map(besideRow)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

function besideRow([name, found]: [string, readonly Beside[]]): string[] {
  const cell = (figure: (beside: Beside) => number) => withRange(spreadOf(found.map(figure)), 2);
  return [name, cell(({ rate }) => rate), cell(({ serverMicros }) => serverMicros)];
}
