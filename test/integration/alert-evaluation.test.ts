import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { findProgram } from "../support/executable.ts";
import { codeBlocks, page } from "../support/pages.ts";
import { ALERT_SAMPLES, type AlertSample, SAMPLE_SECONDS } from "./alert-samples.ts";

const promtool = findProgram("promtool");
const skip = promtool === undefined && "no promtool here; it comes with Prometheus (in Debian the package prometheus)";

const [block] = codeBlocks(page("docs/operations.md"), "Metrics and alerts", "yaml");
const folder = mkdtempSync(join(tmpdir(), "coffer-alerts-"));
after(() => rmSync(folder, { recursive: true }));

describe("the alerts of docs/operations.md, as Prometheus evaluates them,", { skip }, () => {
  // Prometheus accepts a rule with a wrong threshold, sign or label, and then never sends the alert.
  it("each fire for sample series with its fault, and stay quiet for similar series without it", () => {
    const { groups } = parse(block!) as {
      groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
    };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    assert.deepEqual([...new Set(ALERT_SAMPLES.map(({ alert }) => alert))].sort(), [...alerts].sort());
    assert.equal(verdict(block!, ALERT_SAMPLES), "");
  });

  // The control: promtool reports alerts that never fire, and alerts that always fire.
  it("fail the evaluation when a value, a sign or a threshold is wrong", () => {
    const broken = (alert: string, from: string, to: string) => {
      assert.ok(block!.includes(from));
      const samples = ALERT_SAMPLES.filter((sample) => sample.alert === alert);
      assert.match(verdict(block!.replace(from, to), samples), new RegExp(`FAILED.*${alert}`, "s"));
    };
    broken("CofferDown", 'up{job="coffer"} == 0 or', 'up{job="coffer"} == 1 or');
    broken("CofferStoreFills", "_limit_bytes > 0.8", "_limit_bytes > 80");
    broken("CofferIdentityExpires", "< 15 * 60", "< -15 * 60");
    broken("CofferPolicyReloadFailed", "coffer_policy_loaded == 0", "coffer_policy_loaded >= 0");
  });
});

/** Returns promtool's complaints about the rules; empty if each sample has the expected result. */
function verdict(rules: string, samples: readonly AlertSample[]): string {
  const tests = samples.flatMap(({ alert, fires, quiet }) => [
    testCase(`${alert} fires`, alert, fires, [{ labels: "{}", value: 1 }]),
    testCase(`${alert} is quiet`, alert, quiet, []),
  ]);
  writeFileSync(join(folder, "rules.yaml"), rules);
  writeFileSync(
    join(folder, "tests.yaml"),
    stringify({ rule_files: ["rules.yaml"], evaluation_interval: "30s", tests }),
  );
  const { status, stdout, stderr } = spawnSync(promtool!, ["test", "rules", join(folder, "tests.yaml")], {
    encoding: "utf8",
  });
  assert.equal(status === 0, !/FAILED/.test(stdout + stderr), stdout + stderr);
  return status === 0 ? "" : stdout + stderr;
}

/** The state that promtool must find at the end of an hour: whether the alert fires, with any labels. */
function testCase(name: string, alert: string, series: AlertSample["fires"], exp_samples: readonly object[]): object {
  return {
    name,
    interval: `${SAMPLE_SECONDS}s`,
    input_series: Object.entries(series).map(([one, values]) => ({ series: one, values })),
    promql_expr_test: [
      { expr: `max(ALERTS{alertname="${alert}", alertstate="firing"})`, eval_time: "1h", exp_samples },
    ],
  };
}
