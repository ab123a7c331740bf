import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readTimeout } from "../../../src/grpc/grpc-timeout.ts";

/** The longest time that a timer of Node can wait: 2^31 - 1 ms, in whole seconds. */
const LONGEST = "2147483S";

// gRPC over HTTP/2, "Requests": TimeoutValue is a positive integer of at most eight digits.
describe("a grpc-timeout", () => {
  it("may be absent", () => {
    assert.deepEqual(readTimeout(undefined), { kind: "none" });
  });

  it("is not changed if a timer can wait for it, in each of the units", () => {
    const rows: [header: string, ms: number][] = [
      ["596H", 596 * 3_600_000],
      ["35791M", 35_791 * 60_000],
      ["2147483S", 2_147_483_000],
      ["99999999m", 99_999_999],
      ["99999000u", 99_999],
      ["99000000n", 99],
      ["0S", 0],
      ["1000n", 0.001],
      ["00000001H", 3_600_000],
    ];
    for (const [header, ms] of rows) {
      const timeout = readTimeout(header);
      assert.ok(timeout.kind === "timeout" && timeout.header === header, header);
      assert.ok(Math.abs(timeout.ms - ms) < 1e-6, header);
    }
  });

  // grpc-js computes modulo 2^32 ms and Node's timers accept 2^31 - 1: a timeout of 30 days would expire immediately.
  it("is reduced to the longest time that a timer can wait", () => {
    for (const header of [
      "2147484S",
      "2592000S",
      "4294970S",
      "99999999S",
      "597H",
      "99999999H",
      "35792M",
      "99999999M",
    ]) {
      assert.deepEqual(readTimeout(header), { kind: "timeout", header: LONGEST, ms: 2_147_483_000 });
    }
  });

  it("is malformed in any other form", () => {
    const headers = [
      "",
      "S",
      "1",
      "12x",
      "1s",
      "1h",
      "123456789S",
      " 1S",
      "1S ",
      "1 S",
      "-1S",
      "+1S",
      "1.5S",
      "1e3S",
      "1S, 2S",
      "1S\n",
      "١S",
    ];
    for (const header of headers) assert.deepEqual(readTimeout(header), { kind: "malformed" }, JSON.stringify(header));
    assert.deepEqual(readTimeout(["1S", "2S"]), { kind: "malformed" });
  });
});
