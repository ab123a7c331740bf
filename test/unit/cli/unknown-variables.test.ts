import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionOptions, statusOptions } from "../../../src/cli/connection-options.ts";
import { describeUnknown, unknownVariables } from "../../../src/cli/unknown-variables.ts";
import { serveOptions } from "../../../src/config/serve-options.ts";

/** The suggested name for each unknown variable. */
async function nearest(...names: string[]): Promise<Record<string, string>> {
  const unknown = await unknownVariables(Object.fromEntries(names.map((name) => [name, "x"])));
  return Object.fromEntries(unknown.map((variable) => [variable.name, variable.nearest]));
}

describe("unknown variables", () => {
  // A typing error leaves the default in use, which may name another server. The suggestion is the intended name, even
  // if that is a server's variable, whose prefix is longer.
  it("are reported with the most similar name", async () => {
    assert.deepEqual(await nearest("COFFER_ADRR", "COFFER_DATA", "COFFER_SERVER_LISTN", "COFFER_SERVER_IDS"), {
      COFFER_ADRR: "COFFER_ADDR",
      COFFER_DATA: "COFFER_SERVER_DATA",
      COFFER_SERVER_IDS: "COFFER_SERVER_ID",
      COFFER_SERVER_LISTN: "COFFER_SERVER_LISTEN",
    });
  });

  it("are described in one sentence", () => {
    assert.equal(
      describeUnknown({ name: "COFFER_ADRR", nearest: "COFFER_ADDR" }),
      "unknown variable COFFER_ADRR has no effect; did you mean COFFER_ADDR?",
    );
  });

  // The control: there is no warning about variables that a command reads, or that belong to other programs.
  it("do not include the program's own", async () => {
    const own = [connectionOptions, statusOptions, serveOptions].flatMap((options) =>
      Object.values(options).map(({ variable }) => variable),
    );
    assert.ok(own.length > 30);
    assert.deepEqual(await nearest(...own, "PATH", "COFFERS", "SPIFFE_ENDPOINT_SOCKET"), {});
  });

  // `coffer watch --exec` sets these for its command, which may be another coffer.
  it("do not include those of a change", async () => {
    const names = ["COFFER_PATH", "COFFER_VERSION", "COFFER_STATE"];
    assert.deepEqual(await nearest(...names), {});
    assert.deepEqual(Object.keys(await nearest("COFFER_PATHS")), ["COFFER_PATHS"]);
  });

  // Kubernetes sets these for a Service named coffer, and Docker for a link.
  it("do not include those that platforms set", async () => {
    const names = ["COFFER_SERVICE_HOST", "COFFER_SERVICE_PORT_GRPC", "COFFER_PORT", "COFFER_PORT_8553_TCP_ADDR"];
    assert.deepEqual(await nearest(...names), {});
  });
});
