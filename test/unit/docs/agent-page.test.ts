import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgentMetrics } from "../../../src/agent/agent-metrics.ts";
import { CONFIG_KEYS, readAgentConfig } from "../../../src/agent/config-file.ts";
import { FILE_KEYS, ON_CHANGE_KEYS, TARGET_KEYS } from "../../../src/agent/config-target.ts";
import type { TargetStatus } from "../../../src/agent/target-worker.ts";
import { Template } from "../../../src/agent/template.ts";
import { readPolicy } from "../../../src/authorization/policy-file.ts";
import { isOfAgent, loggedEvents, sourceFiles } from "./log-events.ts";
import { codeBlocks, page, table } from "../../support/pages.ts";

const agent = page("docs/agent.md");

/** The words in inline code of a cell. */
const codes = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

describe("docs/agent.md", () => {
  const tables: [head: string, keys: readonly string[]][] = [
    ["Key", CONFIG_KEYS],
    ["Key of a target", TARGET_KEYS],
    ["Key of a file", FILE_KEYS],
    ["Key of `on_change`", ON_CHANGE_KEYS],
  ];
  for (const [head, keys] of tables) {
    it(`has exactly the keys of the configuration in the table "${head}"`, () => {
      const documented = table(agent, head, "Value", "Default").flatMap((row) => codes(row[head]!));
      assert.deepEqual(documented.sort(), [...keys].sort());
    });
  }

  it("has configurations and policies that are valid", () => {
    const blocks = ["Quick start", "Templates"].flatMap((section) => codeBlocks(agent, section, "yaml"));
    const [policies, configs] = [true, false].map((isPolicy) =>
      blocks.filter((text) => text.startsWith("rules:") === isPolicy),
    );
    assert.deepEqual([policies!.length, configs!.length], [1, 2]);
    for (const text of policies!) assert.equal(readPolicy(Buffer.from(text)).kind, "policy");
    for (const text of configs!) assert.ok(readAgentConfig("agent.yaml", () => Buffer.from(text)).targets.length > 0);
  });

  // The example of a template has to be JSON, with and without the optional key.
  it("has a template that renders what the page promises", () => {
    const [text = ""] = codeBlocks(agent, "Templates", "yaml");
    const { contents } = readAgentConfig("agent.yaml", () => Buffer.from(text)).targets[0]!;
    assert.ok(contents.kind === "files");
    const { source } = contents.files[0]!;
    assert.ok(source.kind === "template");
    const tls = new Map([["tls.key", "K"]]);
    const db = new Map([
      ["user", 'a"b'],
      ["password", "p"],
    ]);
    const render = (more: Iterable<[string, string]>) =>
      JSON.parse(
        source.template.render(
          new Map([
            ["db", new Map([...db, ...more])],
            ["tls", tls],
          ]),
        ),
      );
    assert.deepEqual(render([]), { user: 'a"b', password: "p", tls: "Sw==" });
    assert.deepEqual(render([["replica", "r"]]), { user: 'a"b', password: "p", tls: "Sw==", replica: "r" });
  });

  it("has expressions of templates that are valid", () => {
    const rows = table(agent, "Expression", "Result").flatMap((row) => codes(row["Expression"]!));
    const whole = rows.filter((text) => !text.includes("…") && text !== "{{else}}");
    assert.equal(whole.length, 5);
    for (const text of whole) Template.parse(text, ["db"]);
  });

  it("has exactly the metrics of an agent, with their types and labels", async () => {
    const metrics = new AgentMetrics(["t"], { version: "1", node: "2" });
    metrics.observe(() => ({
      targets: [{ name: "t", isReady: true, isCurrent: true, isKept: false }],
      isConnected: true,
      lastContact: undefined,
    }));
    const { body } = await metrics.expose();
    const exposed = [...body.matchAll(/^# TYPE (\w+) (\w+)\n\w+(?:\{(.*)\})? /gm)].map(
      ([, name, type, labels = ""]) => {
        const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
        return `${name} ${type} ${names.join(",")}`;
      },
    );
    const rows = table(agent, "Metric", "Type", "Labels", "Meaning");
    const documented = rows.map(
      (row) => `${codes(row["Metric"]!)[0]} ${row["Type"]} ${codes(row["Labels"]!).join(",")}`,
    );
    assert.ok(exposed.length > 5);
    assert.deepEqual(documented.sort(), exposed.sort());
  });

  it("explains every event of the agent's log at its level, and no other", () => {
    const code = sourceFiles()
      .filter(({ path }) => isOfAgent(path))
      .map((source) => source.code)
      .join("\n");
    const logged = [...loggedEvents(code).levels].map(([event, levels]) => `${event} at ${levels.join(", ")}`);
    const rows = table(agent, "Event", "Level", "What it means");
    const documented = rows.map((row) => `${codes(row["Event"]!)[0]} at ${row["Level"]}`);
    assert.ok(logged.length > 15);
    assert.deepEqual(loggedEvents(code).hidden, []);
    assert.deepEqual(documented.sort(), logged.sort());
  });

  // The page and the type have the same states; the compiler checks that no state is missing here.
  it("has every state of a target", () => {
    const known: Readonly<Record<TargetStatus["kind"], true>> = {
      current: true,
      kept: true,
      unsignalled: true,
      behind: true,
      waiting: true,
      removed: true,
      failing: true,
    };
    const documented = table(agent, "State", "Ready", "Meaning").map((row) => codes(row["State"]!)[0]!);
    assert.deepEqual(documented.sort(), Object.keys(known).sort());
  });
});
