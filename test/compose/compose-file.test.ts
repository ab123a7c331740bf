import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readComposeFile, schemaProblems } from "./compose-file.ts";

const TEXT = readFileSync("docker-compose.yml", "utf8");

describe("docker-compose.yml", () => {
  it("conforms to the Compose specification", () => {
    assert.deepEqual(schemaProblems(TEXT), []);
  });

  it("can be read completely", () => {
    const { services, volumes } = readComposeFile(TEXT);
    const used = new Set(services.flatMap((service) => service.volumes.map(({ volume }) => volume)));
    assert.deepEqual([...used].sort(), [...volumes].sort());
    assert.ok(services.every(({ user }) => user === undefined || /^\d+:\d+$/.test(user)));
  });

  // The controls: a schema or a reader that accepted everything would pass the tests above.
  const broken: readonly (readonly [what: string, from: string, to: string, problem: RegExp])[] = [
    ["a misspelt key", "read_only: true", "readonly: true", /must NOT have unevaluated properties/],
    ["an unknown condition", "condition: service_healthy", "condition: service_well", /must be equal to one of/],
    [
      "a health check that is not a list",
      "test: [CMD, /opt/spire/bin/spire-server, healthcheck]",
      "test: { CMD: 1 }",
      /healthcheck\/test must be string/,
    ],
  ];
  for (const [what, from, to, problem] of broken) {
    it(`with ${what} is refused by the schema`, () => {
      const text = TEXT.replace(from, to);
      assert.notEqual(text, TEXT);
      assert.match(schemaProblems(text).join("\n"), problem);
    });
  }

  const beyond: readonly (readonly [what: string, from: string, to: string, problem: RegExp])[] = [
    [
      "a key that these tests do not support",
      "    pid: host",
      "    pid: host\n    privileged: true",
      /spire-agent has privileged/,
    ],
    ["a service with its capabilities", "cap_drop: [ALL]", "cap_drop: []", /spire-server is not confined/],
    ["an inline config in a read-only service", "    pid: host", "    read_only: true", /spire-agent is read_only/],
    [
      "an image that is built twice",
      '    user: "10001:10001"\n',
      '    user: "10001:10001"\n    build: .\n',
      /coffer-with-shell is built twice/,
    ],
    [
      "a local image that is pulled from a registry",
      "  pull_policy: never\n",
      "  pull_policy: missing\n",
      /api has the pull_policy missing/,
    ],
    ["a variable of the machine", "COFFER_ADDR: coffer", `COFFER_ADDR: $\{HOST}`, /a variable/],
  ];
  for (const [what, from, to, problem] of beyond) {
    it(`with ${what} is refused by these tests`, () => {
      const text = TEXT.replace(from, () => to);
      assert.deepEqual(schemaProblems(text), []);
      assert.throws(() => readComposeFile(text), { message: problem });
    });
  }
});
