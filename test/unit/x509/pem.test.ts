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

  it("takes lines that end as on Windows, and a last line that does not end", () => {
    assert.deepEqual(certificates(BLOCK.replaceAll("\n", "\r\n")), [DER]);
    assert.deepEqual(certificates(BLOCK.trimEnd()), [DER]);
  });

  it("knows in which line a block begins", () => {
    const lines = pemBlocks(Buffer.from(`one\n${BLOCK}${BLOCK}`), "CERTIFICATE").map(({ line }) => line);
    assert.deepEqual(lines, [2, 5]);
  });

  it("finds nothing in nothing, and reports a file that is not PEM", () => {
    assert.deepEqual(pemBlocks(Buffer.alloc(0), "CERTIFICATE"), []);
    for (const text of ["not PEM", "\n", " "]) assert.throws(() => certificates(text), PemError, JSON.stringify(text));
  });

  const body = DER.toString("base64");
  const BAD: readonly [what: string, text: string][] = [
    ["no end", BLOCK.split("-----END")[0]!],
    ["half a line", BLOCK.slice(0, 40)],
    ["an end with another label", BLOCK.replace("END CERTIFICATE", "END PRIVATE KEY")],
    ["a second beginning", BLOCK.replace("-----END", "-----BEGIN")],
    ["an unfinished end", BLOCK.trimEnd().slice(0, -1)],
    ["nothing in it", pemText("CERTIFICATE", Buffer.alloc(0))],
    ["characters of base64url", BLOCK.replace(body, `_-${body.slice(2)}`)],
    ["a length that base64 does not have", BLOCK.replace(body, body.slice(1))],
    ["padding in the middle", BLOCK.replace(body, `QQ==${body}`)],
    ["headers", BLOCK.replace(body, `Proc-Type: 4,ENCRYPTED\n\n${body}`)],
    ["a byte that is not text", BLOCK.replace(body, `${body.slice(0, 4)}\u00e9${body.slice(4)}`)],
  ];
  for (const [what, text] of BAD) {
    it(`refuses a block with ${what}`, () => {
      assert.deepEqual(certificates(BLOCK), [DER]);
      assert.throws(() => certificates(text), PemError);
      // A good block before it does not hide it.
      assert.throws(() => certificates(BLOCK + text), PemError);
    });
  }

  // A file that is read while it is being written must not pass for a shorter one.
  it("refuses every beginning of a file that ends inside a block", () => {
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
