import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigurationError, type GivenFlags, OptionReader } from "../../../src/config/option.ts";
import { describeChoice, type IdentityChoice, readIdentityChoice } from "../../../src/config/identity-choice.ts";
import { serveOptions } from "../../../src/config/serve-options.ts";

const SOCKET = { SPIFFE_ENDPOINT_SOCKET: "unix:///run/spire/agent.sock" };
const FILES: GivenFlags = { "--cert": "a.pem", "--key": "a.key", "--bundle": ["example.org=b.pem"] };

function choose(flags: GivenFlags, environment: Record<string, string> = {}): IdentityChoice {
  const reader = new OptionReader(flags, environment);
  const choice = readIdentityChoice(reader, serveOptions, (text) => text.split("=") as [string, string]);
  reader.finish();
  return choice!;
}

function problems(flags: GivenFlags, environment: Record<string, string> = {}): readonly string[] {
  try {
    choose(flags, environment);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
}

describe("the source of the identity", () => {
  // Options that the operator sets take precedence over a variable that the platform sets.
  it("is files if an option or variable names one", () => {
    const choice = choose(FILES, SOCKET);
    assert.equal(choice.kind, "files");
    assert.equal(choice.because, "--cert, --key, --bundle are set");
    assert.equal(describeChoice(choice), "the files a.pem, a.key, b.pem");
    assert.equal(
      choose({}, { ...SOCKET, COFFER_SERVER_CERT: "a", COFFER_SERVER_KEY: "b", COFFER_SERVER_BUNDLE: "c=d" }).kind,
      "files",
    );
  });

  it("is the Workload API otherwise", () => {
    const choice = choose({}, SOCKET);
    assert.ok(choice.kind === "workload-api");
    assert.deepEqual(choice.selection, { kind: "default" });
    assert.equal(choice.because, "SPIFFE_ENDPOINT_SOCKET is set, and none of --cert, --key and --bundle");
    assert.equal(describeChoice(choice), "the Workload API at unix:///run/spire/agent.sock");
  });

  // With the Workload API instead, the server would have an identity that the operator did not intend.
  for (const [name, missing] of [
    ["--cert", ["--key", "--bundle"]],
    ["--key", ["--cert", "--bundle"]],
    ["--bundle", ["--cert", "--key"]],
  ] as const) {
    it(`is refused with ${name} alone`, () => {
      const found = problems({ [name]: FILES[name] }, SOCKET);
      assert.deepEqual(
        found.map((problem) => problem.split(":")[0]),
        missing.map((flag) => `${flag} (or COFFER_SERVER_${flag.slice(2).toUpperCase()}) is required with ${name}`),
      );
    });
  }

  it("is required", () => {
    const required = [
      "an identity is required: set --cert, --key and --bundle, " +
        "or set SPIFFE_ENDPOINT_SOCKET to the address of the SPIFFE Workload API",
    ];
    assert.deepEqual(problems({}), required);
    assert.deepEqual(problems({}, { SPIFFE_ENDPOINT_SOCKET: " " }), required);
  });

  it("must be a valid endpoint", () => {
    assert.deepEqual(problems({}, { SPIFFE_ENDPOINT_SOCKET: "/run/agent.sock" }), [
      "SPIFFE_ENDPOINT_SOCKET: is neither unix:///PATH nor tcp://IP:PORT",
    ]);
  });
});

describe("the choice among several SVIDs", () => {
  it("is made by hint or by SPIFFE ID", () => {
    const chosen = (flags: GivenFlags) => {
      const choice = choose(flags, SOCKET);
      return choice.kind === "workload-api" ? choice.selection : undefined;
    };
    assert.deepEqual(chosen({ "--svid-hint": "internal" }), { kind: "hint", hint: "internal" });
    const byId = chosen({ "--svid-id": "spiffe://example.org/coffer" });
    assert.equal(byId?.kind === "id" && byId.id.toString(), "spiffe://example.org/coffer");
  });

  it("is made in only one of these ways, and only with the Workload API", () => {
    const both = { "--svid-hint": "internal", "--svid-id": "spiffe://example.org/coffer" };
    assert.deepEqual(problems(both, SOCKET), ["--svid-hint and --svid-id can't be combined; use one of them"]);
    assert.deepEqual(problems({ ...FILES, "--svid-hint": "internal" }), [
      "--svid-hint selects an SVID of the Workload API, and can't be used with --cert",
    ]);
    assert.match(problems({ "--svid-id": "coffer" }, SOCKET)[0]!, /^--svid-id: invalid SPIFFE ID "coffer"/);
  });
});
