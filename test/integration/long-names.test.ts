import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { after, before, describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { type BareAnswer, answerOf, sessionOf } from "../support/bare-call.ts";
import { ServerKit, WEB } from "../support/server-kit.ts";
import { bytesField } from "../support/wire-field.ts";

let kit: ServerKit;
let session: ClientHttp2Session;

before(async () => {
  kit = await ServerKit.start();
  session = await sessionOf(kit, WEB);
});

after(async () => {
  session.destroy();
  await kit.stop();
});

function call(path: string, body: Buffer): Promise<BareAnswer> {
  const stream = beginCall(session, path);
  stream.end(grpcMessage(body));
  return answerOf(stream);
}

const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** The longest name in a request to health or reflection: with the header of its field, the request has 8192 bytes. */
const LONGEST = "n".repeat(8192 - 3);

// The message of an error repeats the name. Trailers above the peer's limit are never sent, so the call would never
// end.
describe("a call with a long name is answered", () => {
  for (const path of [CHECK, WATCH]) {
    it(`with 200 kB: ${path}`, async () => {
      assert.equal((await call(path, bytesField(1, "n".repeat(200_000)))).code, Code.RESOURCE_EXHAUSTED);
    });
  }

  it("with the longest name of a service: Health.Check", async () => {
    const { code, message } = await call(CHECK, bytesField(1, LONGEST));
    assert.equal(code, Code.NOT_FOUND);
    assert.ok(message.length < 2000, `${message.length} bytes`);
  });

  // The characters have three bytes in UTF-8 and nine in percent-encoding. The message is not cut within a character.
  it("with a name that percent-encoding makes longer: Health.Check", async () => {
    assert.equal((await call(CHECK, bytesField(1, "\u20ac".repeat(2700)))).code, Code.NOT_FOUND);
  });

  it("with a method of 6 kB", async () => {
    assert.equal((await call(`/no.such/${"M".repeat(6000)}`, Buffer.alloc(0))).code, Code.UNIMPLEMENTED);
  });

  it("with a symbol of 8 kB: reflection", async () => {
    const { code, body } = await call(REFLECT, bytesField(4, LONGEST));
    assert.equal(code, Code.OK);
    assert.match(body.toString("latin1"), /not found/);
  });
});
