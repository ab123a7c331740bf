import type { PolicySwapsFindings } from "../test/support/policy-swaps.ts";
import { type CallersFindings, type Episode, failuresOf, p99Ratio } from "./callers.ts";
import type { Commits } from "./commits.ts";
import type { FloodFindings } from "./flood.ts";
import type { HandOvers } from "./handover.ts";
import type { Idle, IdleCost } from "./idle.ts";
import type { Latency, Row } from "./latency.ts";
import type { LargeStart, Load } from "./load.ts";
import type { Options } from "./options.ts";
import type { Pages } from "./pages.ts";
import type { Profile, ThreadProfile } from "./profile.ts";
import { CALLS_PER_SECOND, type Reload } from "./reload.ts";
import { type Figure, type Spread, ratio, spread, spreadOf } from "./rounds.ts";
import type { FrontSpread } from "./spread.ts";
import type { Start, Starts } from "./start.ts";
import { columns, conditions, errorsOf, ratesTable, requirementsTable, whole, withRange } from "./table.ts";
import { CORES, type ThreadShares } from "./thread-shares.ts";
import type { Throughput } from "./throughput.ts";
import { PEERS, type Verification } from "./verification.ts";

/** The table of one operation. Cells are medians of the rounds; rates also have the least and the most. */
export function throughputReport(found: Throughput, options: Options): string {
  const { operation, rounds, threads, commits, requirements } = found;
  const title = `${operation}: ${whole(options.secrets)} secrets, ${conditions(options)}`;
  return [
    title,
    ratesTable(rounds, "grpc-js"),
    "",
    threadsTable(threads),
    "",
    ...(operation === "put" ? [commitsTable(commits), ""] : []),
    requirementsTable(requirements),
  ].join("\n");
}

function threadsTable(threads: Throughput["threads"]): string {
  const row = ([server, { mainMicros, frontMicros, otherMicros, scaling }]: [string, ThreadShares]) => [
    server,
    withRange(mainMicros, 1),
    frontMicros.map((micros) => micros.median.toFixed(1)).join(" + ") || "-",
    withRange(otherMicros, 1),
    scaling === undefined ? "-" : withRange(scaling.replicaMicros, 1),
    ...CORES.map((cores) => (scaling === undefined ? "-" : whole(scaling.rates.get(cores)!.median))),
  ];
  const rates = CORES.map((cores) => `rps, ${cores} cores`);
  const head = ["CPU us/call by thread", "main thread", "fronts", "others", "replica", ...rates];
  return columns([head, ...[...threads].map(row)]);
}

function commitsTable(commits: Throughput["commits"]): string {
  const row = ([server, { groups, changes, seconds }]: [string, Commits]) => [
    server,
    (changes / groups).toFixed(1),
    ((seconds / groups) * 1e3).toFixed(2),
    ((seconds / changes) * 1e6).toFixed(0),
  ];
  return columns([["commits", "Puts in one", "ms", "us/Put"], ...[...commits].map(row)]);
}

/** How often each spread of connections over fronts occurred. */
export function spreadReport({ bursts, requirements }: FrontSpread): string {
  const counts = new Map<string, number>();
  for (const { server, connections, onFronts } of bursts) {
    const outcome = `${server}: ${connections} connections: ${onFronts.join(" + ")}`;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return [
    "spread: connections on each front, when clients connect at the same time",
    columns([...counts].map(([outcome, times]) => [outcome, `${whole(times)} times`])),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The calls of one caller, in each situation. */
export function latencyReport({ rows, rounds, requirements }: Latency, { rounds: times, seconds }: Options): string {
  const row = ({ name, base }: Row) => {
    const cell = (figure: Figure, digits: number) => withRange(spread(rounds, name, figure), digits);
    const times = (figure: Figure) => withRange(ratio(rounds, name, base, figure), 2);
    return [
      name,
      cell(({ p50 }) => p50, 2),
      cell(({ p99 }) => p99, 2),
      cell(({ worst }) => worst, 0),
      times(({ p50 }) => p50),
      times(({ p99 }) => p99),
      cell(({ othersLoad }) => othersLoad * 100, 0),
      errorsOf(rounds.get(name)!),
    ];
  };
  const head = ["one caller", "p50 ms", "p99 ms", "slowest ms", "x p50", "x p99", "others %", "errors"];
  return [
    `latency: one call at a time, ${seconds} s, median of ${times} (least-most); x: compared with the same call without load`,
    columns([head, ...rows.map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The starts of the large store, and its Gets compared with those of the small one. */
export function loadReport({ secrets, fillSeconds, starts, rounds, requirements, ...load }: Load, options: Options) {
  const row = ([threads, found]: [number, readonly LargeStart[]]) => {
    const cell = (figure: (start: LargeStart) => number) => withRange(spreadOf(found.map(figure)), 2);
    return [
      String(threads),
      cell(({ seconds }) => seconds),
      cell(({ cpuSeconds }) => cpuSeconds),
      cell(({ peakRssBytes }) => peakRssBytes / 1e9),
      cell(({ steadyRssBytes }) => steadyRssBytes / 1e9),
    ];
  };
  const head = ["threads", "s until serving", "CPU s until serving", "peak RSS GB until serving", "steady RSS GB"];
  return [
    `load: ${whole(secrets)} secrets, filled in ${fillSeconds.toFixed(0)} s`,
    columns([head, ...[...starts].map(row)]),
    `get: ${conditions(options)}; RSS after the Gets ${(load.rssBytesAfterGets / 1e9).toFixed(2)} GB`,
    ratesTable(rounds, "coffer-small"),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The cost of a page of List by the place where it begins. */
export function pagesReport({ secrets, micros, requirements }: Pages, { rounds, seconds }: Options): string {
  const row = ([place, spread]: [string, Spread]) => [place, withRange(spread, 0)];
  return [
    `pages: pages of 100 of ${whole(secrets)} secrets, ${seconds} s for each place and round, ${rounds} rounds`,
    columns([["page", "server us"], ...[...micros].map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The cost of verifying a peer. */
export function verificationReport({ millis, requirements }: Verification, { rounds }: Options): string {
  const row = ([length, spread]: [number, Spread]) => [String(length), withRange(spread, 3)];
  return [
    `verify: ${whole(PEERS)} peers in a round, each with its own keys and certificates, median of ${rounds} (least-most)`,
    columns([["certificates", "ms"], ...[...millis].map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The effect of unauthenticated clients that stall, and of those that open handshakes continuously. */
export function floodReport({ newClients, rounds, requirements }: FloodFindings, options: Options): string {
  const rows = newClients.map(({ kind, from, unauthenticated, seconds, clients, attempts }) => [
    kind,
    from,
    whole(unauthenticated.opened),
    whole(unauthenticated.closed),
    withRange(seconds, 3),
    whole(clients),
    whole(attempts),
  ]);
  const head = ["stalling", "from", "opened", "closed", "s until answered", "clients", "attempts"];
  return [
    "flood: legitimate clients that connect while unauthenticated clients stall",
    columns([head, ...rows]),
    "",
    `get: ${conditions(options)}, while unauthenticated clients open handshakes continuously`,
    ratesTable(rounds, "calm"),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The time that servers take to start, by phase. */
export function startReport({ secrets, nodeSeconds, starts, requirements }: Starts, { rounds }: Options): string {
  const row = ([name, found]: [string, readonly Start[]]) => [
    name,
    ...(["seconds", "programSeconds", "loadedSeconds", "cpuSeconds"] as const).map((key) =>
      withRange(spreadOf(found.map((start) => start[key])), 2),
    ),
  ];
  return [
    `start: ${whole(secrets)} secrets, median of ${rounds} (least-most), seconds since the start of the process`,
    columns([["server", "ready", "program loaded", "store loaded", "CPU time until ready"], ...[...starts].map(row)]),
    `Node with an empty program: ${withRange(spreadOf(nodeSeconds), 2)} s`,
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The memory that idle connections cost. */
export function idleReport({ connections, costs, requirements }: Idle, { rounds }: Options): string {
  const row = ([name, { fresh, again }]: [string, IdleCost]) => [name, withRange(fresh, 1), withRange(again, 1)];
  return [
    `idle: growth of RSS in kB for each of ${whole(connections)} connections, median of ${rounds} (least-most)`,
    columns([["server", "just started", "reconnected"], ...[...costs].map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The results of takeovers between servers. */
export function handOverReport({ times, gaps, acknowledged, lost, failures, requirements }: HandOvers): string {
  const failed = [...failures].map(([what, count]) => `${whole(count)} ${what}`).join(", ");
  return [
    `handover: ${whole(times)} takeovers under load, ${whole(acknowledged)} changes acknowledged, ${lost.length} lost`,
    ...lost,
    `seconds without a successful call: ${withRange(gaps, 2)}; failed calls: ${failed}`,
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** How calls are decided while the policy is replaced. */
export function reloadReport({ findings, requirements }: Reload): string {
  const row = ([way, { calls, wrong, failed, setsSeen }]: [string, PolicySwapsFindings]) => [
    way,
    whole(calls),
    whole(wrong.length),
    [...failed].map(([what, count]) => `${count} ${what}`).join(", ") || "0",
    whole(setsSeen),
  ];
  return [
    `reload: ${CALLS_PER_SECOND} calls a second while the policy file is replaced`,
    columns([["replaced by", "calls", "wrong", "failed", "policies in force"], ...[...findings].map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** The effect of attacks on well-behaved callers. */
export function callersReport({ episodes, requirements }: CallersFindings, { rounds, seconds }: Options): string {
  const row = ([attack, found]: [string, readonly Episode[]]) => {
    const cell = (figure: (episode: Episode) => number, digits: number) =>
      withRange(spreadOf(found.map(figure)), digits);
    return [
      attack,
      cell(({ calm }) => calm.p99, 1),
      cell(({ attacked }) => attacked.p99, 1),
      cell(p99Ratio, 1),
      cell(failuresOf, 0),
      cell(({ refused }) => refused, 0),
      cell(({ actions }) => actions.started, 0),
      cell((episode) => episode.peakRssBytes / 1e6, 0),
      cell(({ connectionsLeft }) => connectionsLeft, 0),
      cell(({ attacked }) => attacked.othersLoad * 100, 0),
    ];
  };
  const head = [
    "attack",
    "calm p99 ms",
    "attacked",
    "x calm",
    "failed",
    "refused",
    "actions",
    "peak RSS MB",
    "left",
    "others %",
  ];
  return [
    `callers: Gets of one well-behaved client at a fixed pace, ${seconds} s, median of ${rounds} (least-most)`,
    columns([head, ...[...episodes].map(row)]),
    "",
    requirementsTable(requirements),
  ].join("\n");
}

/** Where each thread spends its time during the calls of one operation. */
export function profileReport({ operation, result, threads }: Profile): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const table = (shares: ThreadProfile["groups"]) => columns(shares.map(({ name, share }) => [percent(share), name]));
  const title = `${operation} under the profiler: ${whole(result.rate)} rps, ${result.serverMicros.toFixed(0)} us of CPU per call`;
  const parts = threads.flatMap(({ name, busy, groups, functions }) => [
    `${name}: busy for ${percent(busy)} of the time`,
    table(groups),
    "",
    `${name}: functions by their own time`,
    table(functions),
    "",
  ]);
  return [title, "", ...parts].join("\n");
}
