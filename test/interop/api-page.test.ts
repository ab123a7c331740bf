import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { runToEnd } from "../support/cli-kit.ts";
import { METHODS } from "../../src/grpc/secrets-service.ts";
import { GRPCURL_INSTALL, findGrpcurl } from "../support/grpcurl.ts";
import { page } from "../support/pages.ts";
import { ofThisFile } from "../support/children.ts";
import { API, POLICY, ServerKit } from "../support/server-kit.ts";
import { until } from "../support/until.ts";

const [, section = ""] = /^## The calls by example\n(.*?)^## /ms.exec(page("docs/api.md").text) ?? [];
const blocks = [...section.matchAll(/^```(sh|json)\n(.*?)^```$/gms)].map(([, language, code]) => ({
  language,
  lines: (code as string).trim().split("\n"),
}));

/** The definitions of `call` with each tool, which begin with the tool's name. */
const definitions = blocks.filter(({ lines }) => lines[0] === "call() {").map(({ lines }) => lines.join("\n"));

/** Each line with the answer in the block below it, or all messages there if the line calls Watch. */
const examples = blocks.flatMap(({ language, lines }, index) => {
  if (language !== "sh" || lines[0] === "call() {") return [];
  const answers = blocks[index + 1]?.lines ?? [];
  return lines.map((line, i) => ({ line, answers: isWatch(line) ? answers : answers.slice(i, i + 1) }));
});

/** Placeholders of the page, and the fields of SYNCED that they stand for. */
const PLACEHOLDERS = [
  ["WATCH_ID", "watchId"],
  ["POLICY", "policy"],
] as const;

function isWatch(line: string): boolean {
  return line.startsWith("call Watch ");
}

const grpcurl = findGrpcurl();
const TOOLS = [
  {
    name: "grpcurl",
    program: grpcurl,
    skip: grpcurl === undefined && `no grpcurl here; ${GRPCURL_INSTALL}`,
  },
  { name: "buf curl", program: "node_modules/.bin/buf curl", skip: false },
];

/** The part of an answer that the page shows: only the properties that the page has, also in nested objects. */
function shownPart(answer: unknown, shown: unknown): unknown {
  if (Array.isArray(shown) && Array.isArray(answer)) return answer.map((item, i) => shownPart(item, shown[i]));
  if (typeof shown !== "object" || shown === null || typeof answer !== "object" || answer === null) return answer;
  const parts = answer as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(shown).map(([name, part]) => [name, shownPart(parts[name], part)]));
}

it("docs/api.md has an example of each call", () => {
  const called = examples.map(({ line }) => /^call (\w+) '.*'$/.exec(line)?.[1]);
  assert.deepEqual(new Set(called), new Set(METHODS));
  assert.equal(definitions.length, TOOLS.length);
});

for (const { name, program, skip } of TOOLS) {
  describe(`the examples of docs/api.md with ${name}`, { skip }, () => {
    let kit: ServerKit;
    let setup: string;
    /** What the placeholders of the page stand for, from the answer of the Watch. */
    const placeholders = new Map<string, string>();
    const filled = (text: string) => text.replaceAll(/WATCH_ID|POLICY/g, (name) => placeholders.get(name) ?? name);
    let watch: ChildProcess | undefined;
    before(async () => {
      kit = await ServerKit.start();
      writeFileSync(kit.config.policy!, POLICY.replace("describe]", "describe, watch]"));
      await kit.restart();
      const env = callerVariables(kit, API, "api");
      const definition = definitions.find((text) => text.includes(`\n  ${name} `)) ?? "";
      setup = definition
        .replace(`  ${name} `, `  ${program} `)
        .replace("localhost:8553", `localhost:${(kit.address as { port: number }).port}`)
        .replace("certs/dev/bundle.pem", env["COFFER_BUNDLE"] as string)
        .replace("certs/dev/api.pem", env["COFFER_CERT"] as string)
        .replace("certs/dev/api.key", env["COFFER_KEY"] as string);
    });
    after(async () => {
      // The shell and the tool.
      if (watch?.pid !== undefined) process.kill(-watch.pid);
      await kit.stop();
    });

    /** Begins a Watch, and returns its first messages. It runs until the end of the test. */
    async function begin(line: string, count: number): Promise<readonly unknown[]> {
      const script = `${setup}\n${line}`;
      const child = ofThisFile(spawn("sh", ["-c", script], { detached: true, stdio: ["ignore", "pipe", "inherit"] }));
      watch = child;
      let read = "";
      child.stdout.on("data", (chunk: Buffer) => (read += chunk));
      await until("the Watch is synced", () => messagesIn(read).length >= count);
      for (const [name, field] of PLACEHOLDERS)
        placeholders.set(name, new RegExp(`"${field}": ?"([^"]+)"`).exec(read)?.[1] ?? "");
      return messagesIn(read);
    }

    async function run(line: string): Promise<readonly unknown[]> {
      const { code, stdout, stderr } = await runToEnd("sh", ["-c", `${setup}\n${filled(line)}`], {});
      assert.equal(code, 0, `${line}\n${stderr}`);
      return [JSON.parse(String(stdout))];
    }

    it("have the answers that the page shows", async () => {
      for (const { line, answers } of examples) {
        const received = isWatch(line) ? await begin(line, answers.length) : await run(line);
        const shown = answers.map((answer): unknown => JSON.parse(filled(answer)));
        assert.deepEqual(shownPart(received, shown), shown, line);
      }
    });
  });
}

/** The complete JSON objects at the start of a text, each of which begins in a new line. */
function messagesIn(text: string): readonly unknown[] {
  const messages: unknown[] = [];
  let object = "";
  for (const line of text.split("\n")) {
    object += line;
    try {
      messages.push(JSON.parse(object));
      object = "";
    } catch {
      // It continues in the next line.
    }
  }
  return messages;
}
