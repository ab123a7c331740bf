import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MalformedDer, parseDer } from "../../../src/x509/der.ts";
import { oidText, setBits, smallInteger, timeOf } from "../../../src/x509/der-fields.ts";
import { element, flags, integer, oid, sequence, time } from "../../support/der-writer.ts";

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** For each rule: bytes that DER allows, and similar bytes that violate the rule. */
const PAIRS: readonly [rule: string, good: string, bad: string][] = [
  ["no bytes follow the element", "05 00", "05 00 00"],
  ["an element is complete", "04 02 01 02", "04 03 01 02"],
  ["a length is present", "05 00", "05"],
  ["a short length is one byte", "04 01 00", "04 81 01 00"],
  ["a long length has no leading zero", `04 81 80 ${"00".repeat(128)}`, `04 82 00 80 ${"00".repeat(128)}`],
  ["a length is definite", "30 02 05 00", "30 80 05 00 00 00"],
  ["a length has at most three bytes", "04 01 00", "04 84 00 00 00 01 00"],
  ["a length is complete", `04 81 80 ${"00".repeat(128)}`, "04 82 01"],
  ["children fill their parent", "30 02 05 00", "30 03 05 00 05"],
  ["a child does not reach beyond its parent", "30 03 04 01 00", "30 03 04 02 00 00"],
  ["TRUE is FF", "01 01 ff", "01 01 01"],
  ["a boolean is one byte", "01 01 00", "01 02 00 00"],
  ["an integer is not empty", "02 01 00", "02 00"],
  ["an integer has no leading zeros", "02 02 00 80", "02 02 00 7f"],
  ["an integer has no leading ones", "02 02 ff 7f", "02 02 ff 80"],
  ["an enumerated has no leading zeros", "0a 01 01", "0a 02 00 01"],
  ["NULL is empty", "05 00", "05 01 00"],
  ["a bit string states its unused bits", "03 01 00", "03 00"],
  ["an empty bit string has no unused bits", "03 01 00", "03 01 01"],
  ["at most 7 bits are unused", "03 02 07 80", "03 02 08 00"],
  ["unused bits are zero", "03 02 01 fe", "03 02 01 ff"],
  ["an object identifier is not empty", "06 01 2a", "06 00"],
  ["an object identifier is complete", "06 02 81 00", "06 01 81"],
  ["an object identifier has no padding", "06 03 2a 81 00", "06 03 2a 80 01"],
  ["a string is primitive", "04 02 05 00", "24 02 05 00"],
  ["a sequence is constructed", "30 00", "10 00"],
  ["a set is constructed", "31 00", "11 00"],
  ["end-of-contents does not occur", "05 00", "00 00"],
  ["tags are one byte", "9e 00", "9f 1f 00"],
];

describe("parseDer", () => {
  for (const [rule, good, bad] of PAIRS) {
    it(`requires that ${rule}`, () => {
      assert.deepEqual(parseDer(bytes(good)).der, bytes(good));
      assert.throws(() => parseDer(bytes(bad)), MalformedDer);
    });
    it(`requires in nested elements that ${rule}`, () => {
      assert.deepEqual(parseDer(sequence(bytes(good))).children[0]!.der, bytes(good));
      assert.throws(() => {
        // Inside a sequence, bytes that follow an element are a second element, which is valid there.
        if (parseDer(sequence(bytes(bad))).children.length !== 1) throw new MalformedDer("two elements");
      }, MalformedDer);
    });
  }

  it("refuses nesting that would exhaust the stack", () => {
    const nested = (depth: number) => {
      let inner = sequence();
      for (let level = 1; level < depth; level++) inner = sequence(inner);
      return inner;
    };
    assert.ok(parseDer(nested(20)));
    assert.throws(() => parseDer(nested(5000)), MalformedDer);
  });

  it("refuses more elements than a certificate has", () => {
    const wide = (count: number) => sequence(...Array.from({ length: count }, () => integer(1)));
    assert.equal(parseDer(wide(999)).children.length, 999);
    assert.throws(() => parseDer(wide(1000)), MalformedDer);
    assert.throws(() => parseDer(sequence(wide(600), wide(600))), MalformedDer);
  });

  it("refuses zero bytes, and more than one element", () => {
    assert.throws(() => parseDer(Buffer.alloc(0)), MalformedDer);
    assert.throws(() => parseDer(Buffer.concat([integer(1), integer(2)])), MalformedDer);
  });

  // Arbitrary bytes are either refused with MalformedDer or consist exactly of the elements that were found, without
  // gaps.
  it("never throws another error, and never skips a byte", () => {
    let read = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10 }), (contents) => {
        try {
          const { der, children } = parseDer(sequence(contents));
          assert.deepEqual(der, sequence(contents));
          assert.deepEqual(Buffer.concat(children.map((child) => child.der)), Buffer.from(contents));
          read++;
        } catch (error) {
          assert.ok(error instanceof MalformedDer, String(error));
        }
      }),
      { numRuns: 5000 },
    );
    assert.ok(read > 0, "nothing was read, so nothing was tested");
  });
});

describe("DER values", () => {
  it("reads object identifiers", () => {
    for (const dotted of ["1.2.840.113549.1.1.11", "2.5.29.17", "1.3.101.112", "2.999.3", "0.9.2342"]) {
      const [first, second, ...others] = dotted.split(".").map(Number);
      // The test's encoder supports only small first arcs.
      const written =
        first === 2 && second! > 47 ? element(0x06, bytes("88 37 03")) : oid([first, second, ...others].join("."));
      assert.equal(oidText(parseDer(written)), dotted);
    }
  });

  it("reads small numbers, and refuses negative and large ones", () => {
    for (const value of [0, 1, 127, 128, 65535, 0x7fffffff])
      assert.equal(smallInteger(parseDer(integer(value))), value);
    assert.throws(() => smallInteger(parseDer(bytes("02 01 ff"))), MalformedDer);
    assert.throws(() => smallInteger(parseDer(integer(2n ** 40n))), MalformedDer);
  });

  it("reads flags", () => {
    assert.deepEqual([...setBits(parseDer(flags()))], []);
    assert.deepEqual([...setBits(parseDer(flags(0, 5, 8)))], [0, 5, 8]);
  });

  it("reads times in both forms that RFC 5280 allows", () => {
    for (const text of [
      "1950-01-01T00:00:00Z",
      "1999-12-31T23:59:59Z",
      "2024-02-29T12:00:00Z",
      "2049-12-31T23:59:59Z",
    ]) {
      assert.equal(timeOf(parseDer(time(Date.parse(text)))), Date.parse(text), text);
    }
    assert.equal(timeOf(parseDer(time(Date.parse("2050-01-01T00:00:00Z")))), Date.parse("2050-01-01T00:00:00Z"));
    const general = (text: string) => timeOf(parseDer(element(0x18, Buffer.from(text))));
    assert.equal(general("99991231235959Z"), Date.parse("9999-12-31T23:59:59Z"));
    assert.equal(general("00010101000000Z"), Date.parse("0001-01-01T00:00:00Z"));
  });

  const NO_TIMES = [
    "20230229000000Z",
    "20230431000000Z",
    "20231301000000Z",
    "20230100000000Z",
    "20230101240000Z",
    "20230101006000Z",
    "20230101000060Z",
    "20230101000000",
    "20230101000000+0000",
    "20230101000000.5Z",
    "202301010000Z",
    "2023-101000000Z",
    "",
  ];
  for (const text of NO_TIMES) {
    it(`refuses the time ${JSON.stringify(text)}`, () => {
      assert.ok(timeOf(parseDer(element(0x18, Buffer.from("20230228235959Z")))));
      assert.throws(() => timeOf(parseDer(element(0x18, Buffer.from(text)))), MalformedDer);
    });
  }
});
