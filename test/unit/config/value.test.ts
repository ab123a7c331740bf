import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DAY_MS,
  formatBytes,
  parseBytes,
  parseCount,
  parseDuration,
  parseMode,
  parseUint32,
} from "../../../src/config/value.ts";

/** Rows of [text, value]; undefined means that the text is refused. */
function check<T>(parse: (text: string) => T, rows: readonly (readonly [string, T | undefined])[]): void {
  for (const [text, expected] of rows) {
    if (expected === undefined) assert.throws(() => parse(text), Error, text);
    else assert.equal(parse(text), expected, text);
  }
}

describe("values of options", () => {
  it("are sizes in bytes, with units of 1024", () => {
    check(parseBytes, [
      ["1", 1],
      ["512KiB", 512 * 1024],
      ["3 MiB", 3 * 1024 ** 2],
      ["2GiB", 2 * 1024 ** 3],
      ["0", undefined],
      ["", undefined],
      ["1.5GiB", undefined],
      ["1MB", undefined],
      ["-1", undefined],
      ["99999999999999999999", undefined],
    ]);
    assert.equal(formatBytes(3 * 1024 ** 2), "3 MiB");
    assert.equal(formatBytes(1025), "1025 bytes");
  });

  it("are durations in milliseconds", () => {
    // A timer of Node with a longer time fires immediately.
    assert.throws(() => parseDuration("577h"), /^Error: 577h is more than the maximum of 24d$/);
    assert.equal(parseDuration("576h"), 24 * 24 * 3_600_000);
    assert.throws(() => parseDuration("91d", 90 * DAY_MS), /^Error: 91d is more than the maximum of 90d$/);
    assert.equal(parseDuration("90d", 90 * DAY_MS), 90 * 24 * 3_600_000);
    check(parseDuration, [
      ["500ms", 500],
      ["10s", 10_000],
      ["5m", 300_000],
      ["1h", 3_600_000],
      ["10", undefined],
      ["1d", 24 * 3_600_000],
      ["1w", undefined],
      ["d", undefined],
    ]);
  });

  it("are modes in octal", () => {
    check(parseMode, [
      ["660", 0o660],
      ["0600", 0o600],
      ["9", undefined],
      ["888", undefined],
      ["4755", undefined],
    ]);
  });

  it("are counts of at least one", () => {
    check(parseCount, [
      ["1", 1],
      ["10000", 10_000],
      ["0", undefined],
      ["01", undefined],
      ["-1", undefined],
      ["1e3", undefined],
      ["1.5", undefined],
      ["", undefined],
      ["1000000000", undefined],
    ]);
  });

  it("are numbers of 32 bits", () => {
    check(parseUint32, [
      ["0", 0],
      ["4294967295", 2 ** 32 - 1],
      ["4294967296", undefined],
      ["-1", undefined],
      ["1.0", undefined],
      ["", undefined],
    ]);
  });
});
