import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settledLog } from "../../../src/app/settled-log.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import { Lines } from "../../support/log-lines.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("settledLog", () => {
  it("writes a line when the fronts have settled, in the order of the lines", async () => {
    const lines = new Lines();
    const settlements: (() => void)[] = [];
    const fronts = { settled: () => new Promise<void>((resolve) => settlements.push(resolve)) };
    const log = settledLog(createLogger("info", lines), () => fronts);
    const events = () => lines.all.map((line) => line["event"]);
    log.info("policy loaded");
    assert.equal(settlements.length, 0, "the change itself can be sent later in the same turn");
    log.warn("policy warning");
    await turn();
    assert.deepEqual(events(), []);
    settlements[0]!();
    await turn();
    assert.deepEqual(events(), ["policy loaded"]);
    settlements[1]!();
    await turn();
    assert.deepEqual(events(), ["policy loaded", "policy warning"]);
  });

  it("writes a line immediately when there is nothing to wait for", () => {
    const lines = new Lines();
    settledLog(createLogger("info", lines), () => undefined).info("policy loaded");
    assert.deepEqual(
      lines.all.map((line) => line["event"]),
      ["policy loaded"],
    );
  });
});
