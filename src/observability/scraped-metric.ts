import type { Metric, Registry } from "prom-client";
import type { MethodReading } from "./call-counters.ts";
import { CODE_LABELS } from "./code-labels.ts";
import type { DistributionReading } from "./distribution.ts";

/** The value of one series. */
interface Series {
  /** The name of the series, if it is not that of its metric. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric whose values exist elsewhere, so that prom-client only writes them at a scrape. */
export interface ScrapedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "histogram";
  /** Returns all series, in the order in which they are written. */
  readonly read: () => readonly Series[];
}

/**
 * Registers a metric. prom-client's own counters and histograms hold their values themselves, and each count looks its
 * series up by its labels. Its registry requires only a name and the method `get` of a metric.
 */
export function registerScraped(registry: Registry, { name, help, type, read }: ScrapedMetric): void {
  const metric = { name, get: () => Promise.resolve({ name, help, type, values: read(), aggregator: "sum" }) };
  registry.registerMetric(metric as unknown as Metric<string>);
}

/** The number of calls of each method with each code. A code that has not occurred has the value 0. */
export function codeSeries(methods: readonly MethodReading[]): Series[] {
  return methods.flatMap(({ method, codes }) =>
    codes.map((value, code) => ({ labels: { ...labelsOf(method), grpc_code: CODE_LABELS[code] ?? "" }, value })),
  );
}

/** The durations of the calls of each method, as the series of a histogram called `name`. */
export function durationSeries(name: string, methods: readonly MethodReading[]): Series[] {
  return methods.flatMap(({ method, durations }) => histogramSeries(name, durations, labelsOf(method)));
}

/** A distribution as the series of a histogram called `name`. */
export function histogramSeries(
  name: string,
  { bounds, counts, sum }: DistributionReading,
  labels: Series["labels"] = {},
): Series[] {
  let count = 0;
  const cumulative = counts.map((values, bucket) => {
    count += values;
    return { metricName: `${name}_bucket`, labels: { le: bounds[bucket] ?? "+Inf", ...labels }, value: count };
  });
  return [
    ...cumulative,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

/** The series of a metric with one label. */
export function labelled(label: string, counts: readonly (readonly [value: string, count: number])[]): Series[] {
  return counts.map(([value, count]) => ({ labels: { [label]: value }, value: count }));
}

/** The labels of a method such as /coffer.v1.Secrets/Get. */
function labelsOf(method: string): Readonly<Record<string, string>> {
  const [, grpc_service = "", grpc_method = ""] = method.split("/");
  return { grpc_type: "unary", grpc_service, grpc_method };
}
