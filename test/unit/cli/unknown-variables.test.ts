import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionOptions, statusOptions } from "../../../src/cli/connection-options.ts";
import { describeUnknown, unknownVariables } from "../../../src/cli/unknown-variables.ts";
import { serveOptions } from "../../../src/config/serve-options.ts";

/** The nearest name that is suggested for each unknown variable. */
async function nearest(...names: string[]): Promise<Record<string, string>> {
  const unknown = await unknownVariables(Object.fromEntries(names.map((name) => [name, "x"])));
  return Object.fromEntries(unknown.map((variable) => [variable.name, variable.nearest]));
}

describe("unknown variables", () => {
  // A typing error leaves the default in force, which may be another server. The suggestion is the name that was meant,
  // also where it is the server's, whose prefix is longer.
  it("are reported with the nearest name", async () => {
    assert.deepEqual(await nearest("COFFER_ADRR", "COFFER_DATA", "COFFER_SERVER_LISTN", "COFFER_SERVER_IDS"), {
      COFFER_ADRR: "COFFER_ADDR",
      COFFER_DATA: "COFFER_SERVER_DATA",
      COFFER_SERVER_IDS: "COFFER_SERVER_ID",
      COFFER_SERVER_LISTN: "COFFER_SERVER_LISTEN",
    });
  });

  it("are named in a sentence", () => {
    assert.equal(
      describeUnknown({ name: "COFFER_ADRR", nearest: "COFFER_ADDR" }),
      "the variable COFFER_ADRR is unknown and has no effect; the nearest is COFFER_ADDR",
    );
  });

  // The control: every variable that a command reads, and those of other programs, are nothing to warn of.
  it("are none of the program's own", async () => {
    const own = [connectionOptions, statusOptions, serveOptions].flatMap((options) =>
      Object.values(options).map(({ variable }) => variable),
    );
    assert.ok(own.length > 30);
    assert.deepEqual(await nearest(...own, "PATH", "COFFERS", "SPIFFE_ENDPOINT_SOCKET"), {});
  });

  // Kubernetes sets these for a Service named coffer, and Docker for a link.
  it("are none that a platform sets", async () => {
    const names = ["COFFER_SERVICE_HOST", "COFFER_SERVICE_PORT_GRPC", "COFFER_PORT", "COFFER_PORT_8553_TCP_ADDR"];
    assert.deepEqual(await nearest(...names), {});
  });
});
