import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { type Exposed, metricOf, parseExposition } from "../support/exposition.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { type Selector, parseQuery } from "../support/promql.ts";
import { ServerKit } from "../support/server-kit.ts";
import { anchorsOf, codeBlocks, page } from "../support/pages.ts";

/** An alerting rule as Prometheus reads it from a file. */
interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const operations = page("docs/operations.md");
const [block] = codeBlocks(operations, "Metrics and alerts", "yaml");
const { groups } = parse(block!) as { groups: readonly { readonly rules: readonly AlertingRule[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** What Prometheus adds itself: the labels of a target, and whether the target answered. */
const TARGET_LABELS = ["job", "instance"];
const UP = "up";

let kit: ServerKit;
let exposed: Exposed;

/**
 * The server has not served any call yet: a series must exist before its first increase, or Prometheus misses that
 * increase.
 */
before(async () => {
  kit = await ServerKit.start({ threads: 2 });
  exposed = parseExposition(await (await fetchOps(`${kit.opsUrl}/metrics`)).text());
});
after(() => kit.stop());

describe("the alerts of docs/operations.md", () => {
  it("are valid rules with a name, a severity and a section of the page as runbook", () => {
    assert.ok(rules.length > 15);
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
    for (const { alert, labels, annotations, ...rule } of rules) {
      assert.match(alert, /^Coffer[A-Za-z]+$/);
      assert.match(rule.for ?? "1m", /^\d+[sm]$/, alert);
      assert.ok(["page", "ticket"].includes(labels["severity"]!), alert);
      assert.ok(annotations["summary"]!.endsWith("."), alert);
      const [file, anchor] = annotations["runbook"]!.split("#");
      assert.equal(file, "operations.md");
      assert.ok(anchorsOf(operations).includes(anchor!), `${alert} leads to #${anchor}`);
      assert.deepEqual(Object.keys(rule).sort(), rule.for === undefined ? ["expr"] : ["expr", "for"], alert);
    }
  });

  // An alert on a metric, a label or a value that does not exist never fires.
  it("use only metrics and labels that the server has", () => {
    const problems = rules.flatMap(({ alert, expr }) => problemsOf(expr).map((problem) => `${alert}: ${problem}`));
    assert.deepEqual(problems, []);
  });

  it("(control) are reported if a metric or a label does not exist", () => {
    assert.throws(() => parseQuery("rate(coffer_handshakes_total[5m]"), SyntaxError);
    assert.throws(() => parseQuery("rates(coffer_handshakes_total[5m])"), SyntaxError);
    assert.deepEqual(problemsOf("coffer_gone > 1"), ["there is no coffer_gone"]);
    assert.deepEqual(problemsOf("sum by (path) (coffer_secrets)"), ["nothing has the label path"]);
    assert.deepEqual(problemsOf('coffer_secrets{path="a"}'), ["coffer_secrets has no label path"]);
    const refused = 'rate(coffer_connections_refused_total{reason!~"expired|gone"}[5m])';
    assert.deepEqual(problemsOf(refused), ["coffer_connections_refused_total has no reason gone"]);
    assert.deepEqual(problemsOf("rate(coffer_secrets[5m])"), ["coffer_secrets is a gauge and has no rate"]);
    assert.deepEqual(problemsOf("max_over_time(coffer_secrets[5m])"), []);
  });

  // An operator must find each metric on this page, with what it indicates.
  it("and the rest of the page name every metric, and no other", () => {
    const named = operations.text.match(/\b(?:coffer|grpc_server|process)_[a-z_]+\b/g)!.map((name) => metricOf(name));
    assert.deepEqual([...new Set(named)].sort(), [...exposed.types.keys()].sort());
  });
});

function problemsOf(expr: string): string[] {
  const { selectors, grouping } = parseQuery(expr);
  const known = selectors.flatMap(({ metric }) => labelsOf(metric));
  const unknown = grouping.filter((label) => ![...TARGET_LABELS, ...known].includes(label));
  return [...selectors.flatMap(selectorProblems), ...unknown.map((label) => `nothing has the label ${label}`)];
}

function selectorProblems({ metric, matchers, isCounted }: Selector): string[] {
  if (metric === UP) return [];
  const type = exposed.types.get(exposed.types.has(metric) ? metric : metricOf(metric));
  if (type === undefined || !exposed.series.has(metric)) return [`there is no ${metric}`];
  const own = matchers.filter(({ label }) => !TARGET_LABELS.includes(label));
  return [
    ...(isCounted && type === "gauge" ? [`${metric} is a gauge and has no rate`] : []),
    ...own.flatMap(({ label, operator, value }) => {
      const values = valuesOf(metric, label);
      if (values.size === 0) return [`${metric} has no label ${label}`];
      const wanted = operator.endsWith("~") ? value.split("|") : [value];
      return wanted.filter((one) => !values.has(one)).map((one) => `${metric} has no ${label} ${one}`);
    }),
  ];
}

function labelsOf(metric: string): string[] {
  return exposed.series.get(metric)?.flatMap((labels) => Object.keys(labels)) ?? [];
}

function valuesOf(metric: string, label: string): ReadonlySet<string | undefined> {
  const values = new Set(exposed.series.get(metric)!.map((labels) => labels[label]));
  values.delete(undefined);
  return values;
}
