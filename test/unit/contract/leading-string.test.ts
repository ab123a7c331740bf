import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { leadingString, leadingStringSoFar } from "../../../src/contract/leading-string.ts";
import { deleteRequest, putRequest } from "../../../src/contract/messages.ts";
import { WireError } from "../../../src/contract/wire.ts";
import { bytesField } from "../../support/wire-field.ts";

const PATH = { number: 1, name: "path" };
const MOST_BYTES = 16 * 1024;

/** Field 15 with the value 0. No request has a field 15. */
const UNKNOWN = Buffer.of(0x78, 0);

function after(fields: number): Buffer {
  return Buffer.concat([Buffer.alloc(UNKNOWN.length * fields, UNKNOWN), bytesField(1, "a/b")]);
}

const isLate = (error: unknown) => error instanceof WireError && /^path must be among the first/.test(error.message);
const isOfPath = (error: unknown) => error instanceof WireError && error.field === "path";

describe("leadingString", () => {
  it("returns the same string as the codec", () => {
    const entry = fc.record({ key: fc.string(), value: fc.uint8Array() });
    const put = fc.record({
      path: fc.string({ unit: "grapheme", maxLength: 300 }),
      data: fc.constant([]),
      binaryData: fc.array(entry, { maxLength: 5 }),
      expectedVersion: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(put, (request) =>
        assert.equal(leadingString(putRequest.encode(putRequest.of(request)), PATH), request.path),
      ),
    );
  });

  it('returns "" for an absent field, as protobuf does', () => {
    assert.equal(leadingString(Buffer.alloc(0), PATH), "");
    assert.equal(
      leadingString(deleteRequest.encode(deleteRequest.of({ path: "", versions: [1], expectedVersion: 1 })), PATH),
      "",
    );
  });

  it("accepts the field as the 64th, and within the first 16 KiB", () => {
    assert.equal(leadingString(after(63), PATH), "a/b");
    const fill = (length: number) => Buffer.concat([bytesField(15, Buffer.alloc(length)), bytesField(1, "a/b")]);
    const most = MOST_BYTES - fill(1000).length + 1000;
    for (const rest of [Buffer.alloc(0), UNKNOWN, Buffer.alloc(1 << 20)]) {
      assert.equal(leadingString(Buffer.concat([fill(most), rest]), PATH), "a/b");
      assert.throws(() => leadingString(Buffer.concat([fill(most + 1), rest]), PATH), isLate);
    }
  });

  it("refuses a message in which the field comes later", () => {
    assert.throws(() => leadingString(after(64), PATH), isLate);
    assert.throws(() => leadingString(Buffer.concat([after(64), Buffer.alloc(1 << 20)]), PATH), isLate);
  });

  // Protobuf strings are UTF-8. A lenient decoder would turn invalid bytes into a different path.
  it("refuses a field that is not a valid string", () => {
    assert.throws(() => leadingString(bytesField(1, Buffer.of(0xff)), PATH), isOfPath);
    assert.throws(() => leadingString(Buffer.of(0x08, 1), PATH), isOfPath);
    assert.throws(() => leadingString(bytesField(1, "a/b").subarray(0, -1), PATH), isOfPath);
  });
});

// The result does not depend on how the network divides the request into packets.
describe("leadingStringSoFar", () => {
  it("returns the string once its last byte has arrived, and undefined before", () => {
    const message = Buffer.concat([after(3), Buffer.alloc(10, 0xff)]);
    const end = after(3).length;
    for (let length = 0; length <= message.length; length++) {
      const expected = length < end ? undefined : "a/b";
      assert.equal(leadingStringSoFar(message.subarray(0, length), PATH), expected, `${length} bytes`);
    }
  });

  it("refuses a message as soon as the field can only come too late", () => {
    const fields = Buffer.alloc(2 * 64, UNKNOWN);
    assert.equal(leadingStringSoFar(fields, PATH), undefined);
    assert.throws(() => leadingStringSoFar(Buffer.concat([fields, Buffer.of(0x78)]), PATH), isLate);
    const deep = bytesField(15, Buffer.alloc(1 << 20));
    assert.equal(leadingStringSoFar(deep.subarray(0, MOST_BYTES - 1), PATH), undefined);
    assert.throws(() => leadingStringSoFar(deep.subarray(0, MOST_BYTES), PATH), isLate);
  });

  it("never contradicts leadingString of the whole message, at any cut", () => {
    const parts = fc.array(
      fc.oneof(
        fc.constant(UNKNOWN),
        fc.uint8Array({ maxLength: 9000 }).map((bytes) => bytesField(15, bytes)),
        fc.constantFrom("a", "a/b", "\u00fc").map((path) => bytesField(1, path)),
        fc.constant(bytesField(1, Buffer.of(0xff))),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(parts, fc.double({ min: 0, max: 1, noNaN: true }), (fields, share) => {
        const message = Buffer.concat(fields);
        const early = outcome(() => leadingStringSoFar(message.subarray(0, share * message.length), PATH));
        if (early !== undefined)
          assert.equal(
            early,
            outcome(() => leadingString(message, PATH)),
          );
      }),
    );
  });
});

function outcome(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
