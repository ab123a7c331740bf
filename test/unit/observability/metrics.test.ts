import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { Histogram, Registry, register } from "prom-client";
import { type DelaySource, reportDelays } from "../../../src/observability/delay-samples.ts";
import { NO_DELAYS, SharedDelays } from "../../../src/observability/shared-delays.ts";
import { CallCounters } from "../../../src/observability/call-counters.ts";
import { APPLIED } from "../../../src/contract/reasons.ts";
import type { Check } from "../../../src/observability/server-status.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

const GET = "/coffer.v1.Secrets/Get";
const GET_LABELS = `grpc_type="unary",grpc_service="coffer.v1.Secrets",grpc_method="Get"`;
const LIMITS = { connections: 9, inProgress: 8, perSecond: 7 };
const NAMES = { methods: ["/coffer.v1.Secrets/Put", GET], refusals: ["expired", "untrusted"] };
const open: Metrics[] = [];

/** The position of Get among the methods, and the numbers of gRPC codes. */
const [GET_NUMBER, OK, NOT_FOUND] = [1, 0, 5];

afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close();
});

function newMetrics(counters = CallCounters.of(NAMES, 1)): Metrics {
  const metrics = new Metrics({ version: "0.1.0", node: "v22.12.0" }, counters);
  open.push(metrics);
  return metrics;
}

/** Metrics with the counters of their only front. */
function ofOneFront() {
  const counters = CallCounters.of(NAMES, 1);
  return { metrics: newMetrics(counters), front: counters.of(0) };
}

/** Metrics of which each has a value. */
function fullMetrics(): Metrics {
  const { metrics, front } = ofOneFront();
  front.handled(GET_NUMBER, OK, 0.001);
  metrics.committed(0.002, 3);
  metrics.waited(0.001);
  front.refused("expired");
  metrics.loaded(1.5);
  metrics.observeConnections(LIMITS);
  metrics.observeIdentity(() => ({ validUntil: 5000, bundles: new Map([["example.org", 6000]]), lastUpdate: 4000 }));
  metrics.observeReadiness(() => [{ name: "serving", state: "ok" }]);
  metrics.observePolicy(() => ({ isNewest: true, lastLoad: 7000 }));
  metrics.observeStore(() => ({
    secrets: 1,
    versions: 2,
    tombstones: 3,
    requestIds: 4,
    bytes: 300,
    limit: 4000,
    disk: { free: 9e9, reserve: 32_768 },
  }));
  return metrics;
}

/** The samples of an exposition: the value of each series. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.expose()).body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

// A call is counted once, by method and code, with its duration. The codes are spelled as in go-grpc-prometheus.
test("calls are counted by method and code", async () => {
  const { metrics, front } = ofOneFront();
  front.handled(GET_NUMBER, OK, 0.0002);
  front.handled(GET_NUMBER, OK, 0.003);
  front.handled(GET_NUMBER, NOT_FOUND, 0.1);
  const all = await samples(metrics);
  assert.equal(all.get(`grpc_server_handled_total{${GET_LABELS},grpc_code="OK"}`), 2);
  assert.equal(all.get(`grpc_server_handled_total{${GET_LABELS},grpc_code="NotFound"}`), 1);
  assert.equal(all.get(`grpc_server_handling_seconds_count{${GET_LABELS}}`), 3);
  assert.ok(Math.abs(all.get(`grpc_server_handling_seconds_sum{${GET_LABELS}}`)! - 0.1032) < 1e-9);
  assert.equal(all.get(`grpc_server_handling_seconds_bucket{le="0.00025",${GET_LABELS}}`), 1);
  assert.equal(all.get(`grpc_server_handling_seconds_bucket{le="0.005",${GET_LABELS}}`), 2);
});

// rate() does not count a series whose first sample is 1, so every code has a series with 0 from the start.
test("all codes of a method start at zero", async () => {
  const all = await samples(newMetrics());
  const handled = [...all].filter(
    ([series]) => series.startsWith("grpc_server_handled_total") && series.includes(GET_LABELS),
  );
  assert.equal(handled.length, 17);
  assert.ok(handled.every(([, value]) => value === 0));
  assert.equal(all.get(`grpc_server_handling_seconds_count{${GET_LABELS}}`), 0);
});

// Each reason of a refusal also has a series with 0 from the start, for rate(). The limits are metrics, so that an
// alert can compare the counts with them.
test("all reasons of refusals start at zero, and the limits have metrics", async () => {
  const { metrics, front } = ofOneFront();
  metrics.observeConnections(LIMITS);
  front.refused("expired");
  const all = await samples(metrics);
  assert.equal(all.get(`coffer_connections_refused_total{reason="expired"}`), 1);
  assert.equal(all.get(`coffer_connections_refused_total{reason="untrusted"}`), 0);
  const limits = ["connections", "handshakes_in_progress", "handshake_rate"].map((name) => `coffer_${name}_limit`);
  assert.deepEqual(
    limits.map((name) => all.get(name)),
    [9, 8, 7],
  );
});

// /metrics shows the whole process: the numbers of all fronts are summed, also those of fronts in other threads, which
// share the memory of the counters.
test("the counters of all fronts are summed", async () => {
  const counters = CallCounters.of(NAMES, 3);
  const metrics = newMetrics(counters);
  metrics.observeConnections(LIMITS);
  for (const front of [0, 1, 2]) {
    const elsewhere = new CallCounters(NAMES, counters.memory).of(front);
    elsewhere.handled(GET_NUMBER, OK, 0.25);
    elsewhere.failed("DISK_FULL");
    elsewhere.refused("untrusted");
    elsewhere.open = front + 1;
    elsewhere.watches = 10 * front;
    elsewhere.events += 2;
  }
  const all = await samples(metrics);
  const names = [
    `grpc_server_handled_total{${GET_LABELS},grpc_code="OK"}`,
    `grpc_server_handling_seconds_count{${GET_LABELS}}`,
    `coffer_call_errors_total{reason="DISK_FULL"}`,
    `coffer_connections_refused_total{reason="untrusted"}`,
    "coffer_connections",
    "coffer_watch_events_total",
    `grpc_server_handling_seconds_sum{${GET_LABELS}}`,
  ];
  assert.deepEqual(
    names.map((name) => all.get(name)),
    [3, 3, 3, 3, 6, 6, 0.75],
  );
  // Watches are counted for each front: all watches of a connection are on one.
  assert.deepEqual(
    [1, 2, 3].map((front) => all.get(`coffer_watches{thread="front ${front}"}`)),
    [0, 10, 20],
  );
  assert.throws(() => counters.of(3), RangeError);
});

// Prometheus reads a histogram by the names of its series, cumulative buckets in ascending order, and "+Inf" as the last.
// This is byte for byte what prom-client's own histogram writes.
test("the durations of calls are written as a histogram", async () => {
  const { metrics, front } = ofOneFront();
  for (const seconds of [0.0001, 0.0002, 0.1, 7]) front.handled(GET_NUMBER, OK, seconds);
  const { body } = await metrics.expose();
  const bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
  const theirs = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Time from the arrival of a call to its end.",
    labelNames: ["grpc_type", "grpc_service", "grpc_method"],
    buckets: bounds,
    registers: [],
  });
  const labels = { grpc_type: "unary", grpc_service: "coffer.v1.Secrets", grpc_method: "Get" };
  theirs.zero({ ...labels, grpc_method: "Put" });
  for (const seconds of [0.0001, 0.0002, 0.1, 7]) theirs.observe(labels, seconds);
  const registry = new Registry();
  registry.registerMetric(theirs);
  assert.ok(body.includes(await registry.metrics()), body);
});

// A full disk and a caller over its budget have the same code, but only a full disk requires an immediate response.
test("errors are counted by reason, and every reason starts at zero", async () => {
  const { metrics, front } = ofOneFront();
  front.failed("BUDGET_EXCEEDED");
  const all = await samples(metrics);
  const errors = [...all].filter(([series]) => series.startsWith("coffer_call_errors_total"));
  assert.equal(errors.length, Object.keys(APPLIED).length);
  assert.equal(all.get(`coffer_call_errors_total{reason="BUDGET_EXCEEDED"}`), 1);
  assert.equal(all.get(`coffer_call_errors_total{reason="DISK_FULL"}`), 0);
});

// The gRPC protocol treats an unknown status as UNKNOWN.
test("a code that does not exist counts as Unknown", async () => {
  const { metrics, front } = ofOneFront();
  front.handled(GET_NUMBER, 418, 0.001);
  assert.equal((await samples(metrics)).get(`grpc_server_handled_total{${GET_LABELS},grpc_code="Unknown"}`), 1);
});

// A gauge has the value at the time of the scrape, and not at the time of its registration.
test("gauges are read at each scrape", async () => {
  const { metrics, front } = ofOneFront();
  let secrets = 1;
  assert.equal((await samples(metrics)).has("coffer_secrets"), false, "no sample before the store is loaded");
  metrics.observeStore(() => ({
    secrets,
    versions: 2 * secrets,
    tombstones: 3 * secrets,
    requestIds: 4 * secrets,
    bytes: 100 * secrets,
    limit: 4000,
    disk: { free: 9e9, reserve: 32_768 },
  }));
  metrics.observeConnections(LIMITS);
  for (secrets of [1, 7]) {
    Object.assign(front, { open: secrets + 3, inProgress: secrets + 2, begun: secrets + 1 });
    const all = await samples(metrics);
    const counts = ["coffer_secrets", "coffer_versions", "coffer_tombstones", "coffer_request_ids"];
    const names = [...counts, "coffer_store_bytes", "coffer_store_limit_bytes"];
    assert.deepEqual(
      names.map((name) => all.get(name)),
      [secrets, 2 * secrets, 3 * secrets, 4 * secrets, 100 * secrets, 4000],
    );
    assert.deepEqual(
      ["coffer_connections", "coffer_handshakes_in_progress", "coffer_handshakes_total"].map((name) => all.get(name)),
      [secrets + 3, secrets + 2, secrets + 1],
    );
  }
});

// Commits, waits for a commit, refusals and the loading of the store each have their own metrics.
test("each report of the server appears in its metric", async () => {
  const all = await samples(fullMetrics());
  assert.deepEqual([all.get("coffer_commit_seconds_sum"), all.get("coffer_commit_changes_sum")], [0.002, 3]);
  assert.equal(all.get("coffer_queue_wait_seconds_count"), 1);
  assert.equal(all.get(`coffer_connections_refused_total{reason="expired"}`), 1);
  assert.equal(all.get("coffer_load_seconds"), 1.5);
  assert.equal(all.get(`coffer_build_info{version="0.1.0",node="v22.12.0"}`), 1);
  assert.ok(all.get("process_resident_memory_bytes")! > 1e6);
  assert.ok(all.get("process_cpu_seconds_total")! > 0);
  assert.ok(Math.abs(all.get("process_start_time_seconds")! - (Date.now() / 1000 - process.uptime())) < 60);
});

// A load balancer sends no calls to a server that is not ready, so no failed call shows the problem. So the checks of
// /readyz are metrics too.
test("each check of /readyz has a series, which is removed with the check", async () => {
  const metrics = newMetrics();
  const disk: Check = { name: "journal", state: "not ready", why: "/data has 0 bytes left" };
  let checks: readonly Check[] = [{ name: "store", state: "ok" }, disk];
  metrics.observeReadiness(() => checks);
  const readySeries = async () => [...(await samples(metrics))].filter(([series]) => series.startsWith("coffer_ready"));
  assert.deepEqual(await readySeries(), [
    [`coffer_ready{check="store"}`, 1],
    [`coffer_ready{check="journal"}`, 0],
  ]);
  checks = [disk];
  assert.deepEqual(await readySeries(), [[`coffer_ready{check="journal"}`, 0]]);
});

// While the process blocks, its event loop is delayed by the same time. (The test asserts only a minimum, so it can't
// fail on a slow machine. The sampler needs the first pause to start. A sample is the time between two of its timers.)
test("the event loop's delay is measured", async () => {
  const metrics = newMetrics();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  await pause();
  const end = performance.now() + 200;
  while (performance.now() < end);
  await pause();
  const all = await samples(metrics);
  assert.ok(all.get(`coffer_event_loop_delay_seconds{thread="front 1",quantile="1"}`)! > 0.15);
});

// Right after the start and after each scrape, there is no sample. The delay is then 0, and not NaN or a huge number.
test("without a sample, the delay is 0", async () => {
  const all = await samples(newMetrics());
  assert.deepEqual(
    ["0.5", "0.99", "1"].map((quantile) =>
      all.get(`coffer_event_loop_delay_seconds{thread="front 1",quantile="${quantile}"}`),
    ),
    [0, 0, 0],
  );
});

// A front reports once in a second, and a scrape can come at any moment in between. A stall is in the next scrape after
// its report, or in the two next ones, and in no later one.
test("the delays of fronts in other threads are scraped at least once", async () => {
  const delays = SharedDelays.of(2);
  const metrics = new Metrics({ version: "0", node: "0" }, CallCounters.of(NAMES, 2), delays);
  open.push(metrics);
  const scrape = async (thread: string) =>
    (await samples(metrics)).get(`coffer_event_loop_delay_seconds{thread="${thread}",quantile="1"}`);
  const timers = new ManualTimers(0);
  let longest = 0;
  const source: DelaySource = {
    read: () => ({ ...NO_DELAYS, longest }),
    reset: () => {
      longest = 0;
    },
    close: () => {},
  };
  const stop = reportDelays(new SharedDelays(delays.memory), 1, timers, source);
  longest = 0.3;
  assert.equal(await scrape("front 2"), 0, "it is not reported yet");
  timers.advance(1000);
  longest = 0.1;
  timers.advance(1000);
  assert.equal(await scrape("front 2"), 0.3, "the report after the scrape has the samples before it");
  timers.advance(1000);
  assert.equal(await scrape("front 2"), 0.3);
  timers.advance(1000);
  assert.equal(await scrape("front 2"), 0.1);
  timers.advance(1000);
  assert.equal(await scrape("front 2"), 0);
  assert.equal(await scrape("front 1"), 0, "each front has its own numbers");
  assert.ok((await scrape("store")) !== undefined, "this thread has the store");
  stop();
});

// Two servers in one process, as in tests, do not count each other's calls.
test("each server has its own registry", async () => {
  const [one, other] = [ofOneFront(), ofOneFront()];
  one.front.handled(GET_NUMBER, OK, 0.001);
  assert.equal((await samples(other.metrics)).get(`grpc_server_handled_total{${GET_LABELS},grpc_code="OK"}`), 0);
  assert.deepEqual(register.getMetricsAsArray(), []);
});

// docs/metrics.md lists exactly the existing metrics, with type and labels. So the table also shows that no label is
// for a path or a SPIFFE ID.
test("the table in docs/metrics.md equals the metrics", async () => {
  const { body } = await fullMetrics().expose();
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!] as const);
  const exposed = types.map(([name, type]) => `${name} ${type} ${labelsOf(body, name).join(" ")}`.trim());
  const docs = readFileSync("docs/metrics.md", "utf8");
  const rows = [...docs.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*)\|/gm)];
  const documented = rows.map(([, name, type, labels]) => {
    const names = [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!);
    return `${name} ${type} ${names.sort().join(" ")}`.trim();
  });
  assert.deepEqual(documented.sort(), exposed.sort());
});

function labelsOf(body: string, name: string): string[] {
  const series = [...body.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\}`, "gm"))];
  const labels = series.flatMap(([, inside]) => [...inside!.matchAll(/(\w+)="/g)].map(([, label]) => label!));
  return [...new Set(labels)].filter((label) => label !== "le").sort();
}
