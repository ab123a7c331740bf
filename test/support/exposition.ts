/** The metrics of a server, as Prometheus sees them (text format 0.0.4). */
export interface Exposed {
  /** The types of the metrics by their names. */
  readonly types: ReadonlyMap<string, string>;
  /** The label sets of the series by their names, which for histograms are those of their parts. */
  readonly series: ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>;
}

/** Reads what /metrics answered. */
export function parseExposition(body: string): Exposed {
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!] as const);
  const series = new Map<string, Record<string, string>[]>();
  for (const [, name, labels = ""] of body.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!]);
    series.set(name!, [...(series.get(name!) ?? []), Object.fromEntries(pairs)]);
  }
  return { types: new Map(types), series };
}

/** The metric that a series belongs to: that of a histogram's parts is without their ending. */
export function metricOf(name: string): string {
  return name.replace(/_(?:bucket|sum|count)$/, "");
}
