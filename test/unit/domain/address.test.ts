import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, AddressError, formatAddress, parseAddress } from "../../../src/domain/address.ts";

describe("parseAddress and formatAddress", () => {
  for (const [text, address] of [
    ["127.0.0.1:8553", { kind: "tcp", host: "127.0.0.1", port: 8553 }],
    ["coffer.internal:1", { kind: "tcp", host: "coffer.internal", port: 1 }],
    ["[::1]:0", { kind: "tcp", host: "::1", port: 0 }],
    ["unix:/run/coffer.sock", { kind: "unix", path: "/run/coffer.sock" }],
    ["unix:a:b", { kind: "unix", path: "a:b" }],
  ] as const satisfies readonly (readonly [string, Address])[]) {
    it(`parse ${text} and format it as the same text`, () => {
      assert.deepEqual(parseAddress(text), address);
      assert.equal(formatAddress(address), text);
    });
  }

  for (const text of [
    "",
    "localhost",
    ":8553",
    "::1:8553",
    "[::1]",
    "a:65536",
    "a:-1",
    "a:1x",
    "http://a:1",
    "a b:1",
    "unix:",
    "[a]:1 ",
  ]) {
    it(`refuse ${JSON.stringify(text)}`, () => assert.throws(() => parseAddress(text), AddressError));
  }
});
