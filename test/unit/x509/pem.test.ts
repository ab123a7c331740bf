import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PemError, pemBlocks, pemText } from "../../../src/x509/pem.ts";

const DER = Buffer.from("300a0201010201020201030500", "hex");
const BLOCK = pemText("CERTIFICATE", DER);

function certificates(text: string): Buffer[] {
  return pemBlocks(Buffer.from(text), "CERTIFICATE").map(({ der }) => der);
}

describe("pemBlocks", () => {
  it("reads blocks with text around them, in order, and skips other blocks", () => {
    const key = pemText("PRIVATE KEY", Buffer.from("secret"));
    assert.deepEqual(certificates(BLOCK), [DER]);
    assert.deepEqual(certificates(`Subject: somebody\n${BLOCK}\nbetween\n${key}${BLOCK}after`), [DER, DER]);
    assert.deepEqual(certificates(key), []);
  });

  it("accepts Windows line ends, and a last line without a line end", () => {
    assert.deepEqual(certificates(BLOCK.replaceAll("\n", "\r\n")), [DER]);
    assert.deepEqual(certificates(BLOCK.trimEnd()), [DER]);
  });

  it("returns the line in which a block begins", () => {
    const lines = pemBlocks(Buffer.from(`one\n${BLOCK}${BLOCK}`), "CERTIFICATE").map(({ line }) => line);
    assert.deepEqual(lines, [2, 5]);
  });

  it("finds no block in an empty file, and refuses a file that is not PEM", () => {
    assert.deepEqual(pemBlocks(Buffer.alloc(0), "CERTIFICATE"), []);
    for (const text of ["not PEM", "\n", " "]) assert.throws(() => certificates(text), PemError, JSON.stringify(text));
  });

  const body = DER.toString("base64");
  const BAD: readonly [what: string, text: string][] = [
    ["no end", BLOCK.split("-----END")[0]!],
    ["an incomplete BEGIN line", BLOCK.slice(0, 40)],
    ["an end with another label", BLOCK.replace("END CERTIFICATE", "END PRIVATE KEY")],
    ["a second BEGIN line", BLOCK.replace("-----END", "-----BEGIN")],
    ["an incomplete END line", BLOCK.trimEnd().slice(0, -1)],
    ["no contents", pemText("CERTIFICATE", Buffer.alloc(0))],
    ["characters of base64url", BLOCK.replace(body, `_-${body.slice(2)}`)],
    ["a length that base64 does not have", BLOCK.replace(body, body.slice(1))],
    ["padding in the middle", BLOCK.replace(body, `QQ==${body}`)],
    ["headers", BLOCK.replace(body, `Proc-Type: 4,ENCRYPTED\n\n${body}`)],
    ["a byte that is not ASCII", BLOCK.replace(body, `${body.slice(0, 4)}\u00e9${body.slice(4)}`)],
  ];
  for (const [what, text] of BAD) {
    it(`refuses a block with ${what}`, () => {
      assert.deepEqual(certificates(BLOCK), [DER]);
      assert.throws(() => certificates(text), PemError);
      // Also after a valid block.
      assert.throws(() => certificates(BLOCK + text), PemError);
    });
  }

  // A file that is read while it is being written must not be accepted as a shorter file.
  it("refuses every prefix of a file that ends inside a block", () => {
    const end = BLOCK.trimEnd().length;
    for (let length = 1; length < end; length++) {
      assert.throws(() => certificates(BLOCK.slice(0, length)), PemError, `first ${length} characters`);
    }
  });

  it("reads back what pemText writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
        assert.deepEqual(certificates(pemText("CERTIFICATE", der)), [Buffer.from(der)]);
      }),
    );
  });
});
