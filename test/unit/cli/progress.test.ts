import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { withProgress } from "../../../src/cli/progress.ts";
import { ManualTimers } from "../../support/manual-timers.ts";

/** Work that ends on demand, and what the output shows. */
function start(isTTY: boolean) {
  const output = Object.assign(new PassThrough(), { isTTY });
  const timers = new ManualTimers(0);
  let shown = "";
  output.on("data", (chunk) => {
    shown += chunk;
  });
  let end = (_: string): void => {};
  const work = new Promise<string>((resolve) => {
    end = resolve;
  });
  const result = withProgress(
    (seconds) => `${seconds} s`,
    { output, timers },
    () => work,
  );
  return { timers, result, end, shown: () => shown };
}

describe("progress", () => {
  it("is shown after a second, and removed at the end", async () => {
    const { timers, result, end, shown } = start(true);
    timers.advance(999);
    assert.equal(shown(), "");
    timers.advance(1);
    assert.equal(shown(), "\r\u001b[K1 s");
    timers.advance(1000);
    assert.equal(shown(), "\r\u001b[K1 s\r\u001b[K2 s");
    end("done");
    assert.equal(await result, "done");
    assert.match(shown(), /2 s\r\u001b\[K$/);
    timers.advance(5000);
    assert.match(shown(), /2 s\r\u001b\[K$/);
  });

  it("is removed when the work fails", async () => {
    const output = Object.assign(new PassThrough(), { isTTY: true });
    const timers = new ManualTimers(0);
    const failing = withProgress(
      () => "waiting",
      { output, timers },
      async () => {
        timers.advance(1000);
        throw new Error("failed");
      },
    );
    await assert.rejects(failing, /failed/);
    assert.equal(String(output.read()), "\r\u001b[Kwaiting\r\u001b[K");
  });

  it("is not shown for short work", async () => {
    const { timers, result, end, shown } = start(true);
    timers.advance(900);
    end("done");
    await result;
    assert.equal(shown(), "");
  });

  // A log or a pipe would contain every update.
  it("is not shown without a terminal", async () => {
    const { timers, result, end, shown } = start(false);
    timers.advance(60_000);
    end("done");
    await result;
    assert.equal(shown(), "");
  });
});
