import assert from "node:assert/strict";
import { X509Certificate, sign, verify } from "node:crypto";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { finiteFieldHello } from "../../../bench/attack-handshakes.ts";
import { ELEMENTS, VERSIONS, compressed, deletes, puts, reflection } from "../../../bench/attack-messages.ts";
import { costlyKey } from "../../../bench/costly-key.ts";
import { secretPath } from "../../../bench/request.ts";
import { loadContract, serviceDefinition } from "../../../src/contract/descriptors.ts";
import { MAX_RECEIVE_BYTES } from "../../../src/contract/limits.ts";
import { putRequest } from "../../../src/contract/messages.ts";

const contract = loadContract();
const PATH_BYTES = 2 + secretPath(0).length;

// An attack whose request is refused as malformed measures nothing, so each request must be a valid message. The tests
// decode them with protobufjs, or only in part, because the server's own codec may limit what it decodes.
describe("the requests of attackers", () => {
  it("are Puts of two million entries, with the path as the first or the last field", () => {
    const [first, last] = puts();
    const some = PATH_BYTES + 2 * 50;
    for (const part of [first!.subarray(0, some), last!.subarray(-some)]) {
      const { path, data } = putRequest.decode(part);
      assert.deepEqual([path, data.length], [secretPath(0), 50]);
    }
    for (const body of [first!, last!]) {
      assert.equal(body.length, PATH_BYTES + 2 * ELEMENTS);
      assert.ok(body.length <= MAX_RECEIVE_BYTES);
    }
  });

  it("shrink to about a thousandth by compression", () => {
    const body = puts()[0]!;
    const message = compressed(body);
    assert.ok(message.length < MAX_RECEIVE_BYTES / 900, `${message.length} bytes`);
    assert.equal(message[0], 1);
    assert.deepEqual(gunzipSync(message.subarray(5)), body);
  });

  it("are Deletes of a million versions, with the path as the first or the last field", () => {
    const { Delete } = serviceDefinition(contract, "coffer.v1.Secrets");
    for (const body of deletes()) {
      const { path, versions } = Delete!.requestDeserialize(body) as { path: string; versions: readonly number[] };
      assert.deepEqual([path, versions.length], [secretPath(0), VERSIONS]);
    }
  });

  it("are reflection requests with one field", () => {
    const { ServerReflectionInfo } = serviceDefinition(contract, "grpc.reflection.v1.ServerReflection");
    assert.ok(reflection().length <= MAX_RECEIVE_BYTES);
    const request = ServerReflectionInfo!.requestDeserialize(reflection()) as { file_containing_extension?: object };
    assert.ok(request.file_containing_extension);
  });
});

describe("the handshakes of attackers", () => {
  // RFC 8446 4.2.7: the extension supported_groups (10) has a list of one group, ffdhe8192 (0x0104).
  it("offer ffdhe8192 and no other group", async () => {
    const hello = await finiteFieldHello();
    assert.ok(hello.includes(Buffer.from("000a000400020104", "hex")));
  });

  // A signature for the usual exponent is wrong for the large one. It has the right size, so the verifier must do the
  // complete computation.
  it("send a key whose exponent has 3,071 bits, and sign with another exponent", () => {
    const { chain, key } = costlyKey();
    const { publicKey } = new X509Certificate(chain[0]!);
    const { modulusLength, publicExponent } = publicKey.asymmetricKeyDetails!;
    assert.equal(modulusLength, 3072);
    assert.equal(publicExponent!.toString(2).length, 3071);
    const data = Buffer.from("any");
    const signature = sign("sha256", data, key);
    assert.equal(signature.length, 384);
    assert.equal(verify("sha256", data, publicKey, signature), false);
    assert.equal(verify("sha256", data, key, signature), true);
  });
});
