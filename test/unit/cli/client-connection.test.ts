import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigurationError } from "../../../src/config/option.ts";
import { readConnection } from "../../../src/cli/client-connection.ts";

const ENVIRONMENT = {
  COFFER_CERT: "a.pem",
  COFFER_KEY: "a.key",
  COFFER_BUNDLE: "bundle.pem",
  COFFER_SERVER_ID: "spiffe://example.org/coffer",
};

function files(environment: Record<string, string>) {
  const { identity } = readConnection({}, environment);
  assert.ok(identity.kind === "files");
  return identity.files;
}

function bundles(text: string): unknown {
  return [...files({ ...ENVIRONMENT, COFFER_BUNDLE: text }).bundles];
}

describe("the connection of a command", () => {
  it("is configured by variables, with the server on this machine as the default", () => {
    const { address, serverId, timeoutMs } = readConnection({}, ENVIRONMENT);
    assert.deepEqual(address, { kind: "tcp", host: "127.0.0.1", port: 8553 });
    assert.equal(String(serverId), "spiffe://example.org/coffer");
    assert.equal(timeoutMs, 10_000);
    const { cert, key } = files(ENVIRONMENT);
    assert.deepEqual([cert, key], ["a.pem", "a.key"]);
  });

  it("is configured by flags", () => {
    const flags = { "--addr": "unix:/run/x", "--timeout": "1s", "--server-id": "spiffe://example.org/y" };
    const { address, serverId, timeoutMs } = readConnection(flags, ENVIRONMENT);
    assert.deepEqual(address, { kind: "unix", path: "/run/x" });
    assert.equal(String(serverId), "spiffe://example.org/y");
    assert.equal(timeoutMs, 1000);
  });

  // A bundle without a trust domain belongs to the server's trust domain. The form of the server's --bundle also works.
  it("accepts both forms of --bundle", () => {
    assert.deepEqual(bundles("bundle.pem"), [["example.org", "bundle.pem"]]);
    assert.deepEqual(bundles("./a=b.pem"), [["example.org", "./a=b.pem"]]);
    assert.deepEqual(bundles("other.org=o.pem,example.org=e.pem"), [
      ["other.org", "o.pem"],
      ["example.org", "e.pem"],
    ]);
  });

  // --server-id is required: without it, a command would send a secret to any server of the trust domain.
  it("reports all problems together", () => {
    assert.throws(
      () => readConnection({ "--addr": "here", "--timeout": "soon" }, {}),
      (error) => {
        assert.ok(error instanceof ConfigurationError);
        assert.deepEqual(
          error.problems.map((problem) => problem.split(/ \(|:/)[0]),
          ["--addr", "--server-id", "an identity is required", "--timeout"],
        );
        return true;
      },
    );
    assert.throws(() => bundles("other.org=o.pem"), /no bundle for example\.org, the trust domain of --server-id/);
  });
});
