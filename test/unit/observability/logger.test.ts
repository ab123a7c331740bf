import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { createLogger, LOG_LEVELS, type LogFields } from "../../../src/observability/logger.ts";
import { Lines } from "../../support/log-lines.ts";
import { nextEvent } from "../../support/next-event.ts";

// Each line is an object with time, level, event and the fields. It is written when the call returns.
test("each call writes one line of JSON", () => {
  const lines = new Lines();
  createLogger("info", lines).info("store loaded", { secrets: 3, seconds: 0.5, revision: 9n, detail: undefined });
  const [line] = lines.all;
  assert.deepEqual(Object.keys(line!), ["time", "level", "event", "secrets", "seconds", "revision"]);
  assert.equal(new Date(String(line!["time"])).toISOString(), line!["time"]);
  assert.deepEqual(
    { ...line, time: 0 },
    { time: 0, level: "info", event: "store loaded", secrets: 3, seconds: 0.5, revision: "9" },
  );
});

// For any text in a field, there is one line, and parsing it returns the text. So an attacker can't forge a second line
// or move the cursor of a terminal.
test("any text of a field stays within its line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (detail) => {
      const lines = new Lines();
      createLogger("info", lines).info("connection refused", { detail });
      assert.equal(lines.raw.length, 1);
      assert.doesNotMatch(lines.raw[0]!, /[\0-\x1f]/);
      assert.equal(lines.all[0]!["detail"], detail);
    }),
  );
});

// A logger writes its own level and the more severe ones, and `isDebug` returns whether debug is among them.
for (const [rank, level] of LOG_LEVELS.entries()) {
  test(`at ${level}, lines up to ${level} are written`, () => {
    const lines = new Lines();
    const log = createLogger(level, lines);
    for (const each of LOG_LEVELS) log[each](`a line at ${each}`);
    assert.deepEqual(
      lines.all.map((line) => line["level"]),
      LOG_LEVELS.slice(0, rank + 1),
    );
    assert.equal(log.isDebug, level === "debug");
  });
}

// An object that was passed despite the types is not printed, because it could be a request with its content.
test("only plain values are written", () => {
  const lines = new Lines();
  const log = createLogger("info", lines);
  const canary = "canary-7f3a";
  for (const value of [Buffer.from(canary), { canary }, [canary], new Map([[canary, canary]])]) {
    log.info("event", { detail: value } as unknown as LogFields);
  }
  assert.deepEqual(
    lines.all.map((line) => line["detail"]),
    Array(4).fill("[not logged]"),
  );
  const bytes = [...Buffer.from(canary)].join();
  for (const shown of [canary, bytes]) assert.ok(!lines.raw.join().includes(shown), shown);
  log.info("event", { detail: canary });
  assert.ok(lines.raw.join().includes(canary), "plain text is written");
});

// A flush resolves when the stream has accepted the last line, and not before.
test("flush waits for the stream", async () => {
  const lines = new Lines();
  const log = createLogger("info", lines);
  await log.flush();
  lines.stall();
  log.info("first");
  log.info("second");
  let flushed = false;
  const flushing = log.flush().then(() => {
    flushed = true;
  });
  await new Promise(setImmediate);
  assert.equal(flushed, false);
  lines.resume();
  await flushing;
  assert.deepEqual(
    lines.all.map((line) => line["event"]),
    ["first", "second"],
  );
});

// With a stalled reader, memory is bounded: further lines are dropped, and their number is logged as soon as the reader
// reads again.
test("a stalled reader causes dropped lines and not unlimited memory", async () => {
  const lines = new Lines();
  const log = createLogger("info", lines);
  lines.stall();
  const detail = "x".repeat(100_000);
  for (let i = 0; i < 100; i++) log.info("big", { detail });
  assert.ok(lines.writableLength < 5 * 1024 * 1024, `${lines.writableLength} bytes wait`);
  lines.resume();
  await log.flush();
  log.info("after");
  const written = lines.all.filter((line) => line["event"] === "big").length;
  const [dropped, after] = lines.all.slice(-2);
  assert.deepEqual([dropped!["event"], dropped!["level"]], ["log lines dropped", "error"]);
  assert.equal(Number(dropped!["count"]) + written, 100);
  assert.equal(after!["event"], "after");
});

// The lines of other threads are written as they are, in order with those of this one, and are bounded and counted alike.
test("lines that another thread has formatted are written in order, and counted when they are dropped", async () => {
  const lines = new Lines();
  const log = createLogger("info", lines);
  log.info("own");
  log.append(`{"event":"other 1"}\n{"event":"other 2"}\n`);
  lines.stall();
  log.info("big", { detail: "x".repeat(5 * 1024 * 1024) });
  log.append(`{"event":"lost"}\n{"event":"lost"}\n`);
  lines.resume();
  await log.flush();
  log.append(`{"event":"after"}\n`);
  await log.flush();
  const events = lines.all.map(({ event, count }) => (count === undefined ? event : [event, count]));
  assert.deepEqual(events, ["own", "other 1", "other 2", "big", ["log lines dropped", 2], "after"]);
});

// The server continues when the reader of its log ends.
test("a broken pipe does not end the server", async () => {
  const lines = new Lines();
  const log = createLogger("info", lines);
  log.info("before");
  lines.destroy(new Error("write EPIPE"));
  await new Promise((resolve) => lines.once("close", resolve));
  log.info("after");
  await log.flush();
  assert.deepEqual(
    lines.all.map((line) => line["event"]),
    ["before"],
  );
});

// A process writes far more than a pipe holds before the test reads, then flushes and exits. Every line arrives. (The
// child reports on standard output that all lines are written, so the reader is late on any machine.)
test("no line is lost at exit", async () => {
  const logger = new URL("../../../src/observability/logger.js", import.meta.url).href;
  const script = `
    import { createLogger } from ${JSON.stringify(logger)};
    const log = createLogger("info");
    for (let i = 0; i < 2000; i++) log.info("line", { count: i, detail: "x".repeat(1000) });
    process.stdout.write("written", async () => { await log.flush(); process.exit(0); });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  await nextEvent(child.stdout, "data");
  const lines = (await text(child.stderr)).split("\n").slice(0, -1);
  assert.equal(lines.length, 2000);
  assert.equal(JSON.parse(lines.at(-1)!).count, 1999);
});
