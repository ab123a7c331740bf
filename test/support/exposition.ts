/** The metrics of a server in Prometheus' text format 0.0.4. */
export interface Exposed {
  /** The types of the metrics, by name. */
  readonly types: ReadonlyMap<string, string>;
  /** The label sets of the series, by name. A histogram has several series. */
  readonly series: ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>;
}

/** Parses the response to /metrics. */
export function parseExposition(body: string): Exposed {
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!] as const);
  const series = new Map<string, Record<string, string>[]>();
  for (const [, name, labels = ""] of body.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!]);
    series.set(name!, [...(series.get(name!) ?? []), Object.fromEntries(pairs)]);
  }
  return { types: new Map(types), series };
}

/** The metric of a series: for a series of a histogram, the name without its suffix. */
export function metricOf(name: string): string {
  return name.replace(/_(?:bucket|sum|count)$/, "");
}
