import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { runToEnd } from "../support/cli-kit.ts";
import { METHODS } from "../../src/grpc/secrets-service.ts";
import { GRPCURL_INSTALL, findGrpcurl } from "../support/grpcurl.ts";
import { page } from "../support/pages.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const [, section = ""] = /^## The calls by example\n(.*?)^## /ms.exec(page("docs/api.md").text) ?? [];
const blocks = [...section.matchAll(/^```(sh|json)\n(.*?)^```$/gms)].map(([, language, code]) => ({
  language,
  lines: (code as string).trim().split("\n"),
}));

/** The definitions of `call` with each tool, which begin with the tool's name. */
const definitions = blocks.filter(({ lines }) => lines[0] === "call() {").map(({ lines }) => lines.join("\n"));

/** Each line with the answer in the block below it. */
const examples = blocks.flatMap(({ language, lines }, index) =>
  language === "sh" && lines[0] !== "call() {"
    ? lines.map((line, i) => ({ line, answer: JSON.parse(blocks[index + 1]?.lines[i] ?? "") as unknown }))
    : [],
);

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
    before(async () => {
      kit = await ServerKit.start();
      const env = callerVariables(kit, API, "api");
      const definition = definitions.find((text) => text.includes(`\n  ${name} `)) ?? "";
      setup = definition
        .replace(`  ${name} `, `  ${program} `)
        .replace("localhost:8553", `localhost:${(kit.address as { port: number }).port}`)
        .replace("certs/dev/bundle.pem", env["COFFER_BUNDLE"] as string)
        .replace("certs/dev/api.pem", env["COFFER_CERT"] as string)
        .replace("certs/dev/api.key", env["COFFER_KEY"] as string);
    });
    after(() => kit.stop());

    it("have the answers that the page shows", async () => {
      for (const { line, answer: shown } of examples) {
        const { code, stdout, stderr } = await runToEnd("sh", ["-c", `${setup}\n${line}`], {});
        assert.equal(code, 0, `${line}\n${stderr}`);
        assert.deepEqual(shownPart(JSON.parse(String(stdout)), shown), shown, line);
      }
    });
  });
}
