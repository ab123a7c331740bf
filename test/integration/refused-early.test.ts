import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { after, before, describe, it } from "node:test";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { MAX_RECEIVE_BYTES } from "../../src/contract/limits.ts";
import { getRequest } from "../../src/contract/messages.ts";
import { answerOf, sessionOf } from "../support/bare-call.ts";
import { ADMIN, ServerKit, WEB } from "../support/server-kit.ts";
import { bytesField } from "../support/wire-field.ts";

const GET = "/coffer.v1.Secrets/Get";
const PUT = "/coffer.v1.Secrets/Put";
const OTHER = "shop/api/b";

let kit: ServerKit;
let web: ClientHttp2Session;
let admin: ClientHttp2Session;

// With these limits, each SPIFFE ID may have the minimum of four unread requests and 16 calls (MINIMUM_BUDGET).
before(async () => {
  kit = await ServerKit.start({ budgets: { bytes: 64 << 20, unread: 8, calls: 8 } });
  [web, admin] = await Promise.all([sessionOf(kit, WEB), sessionOf(kit, ADMIN)]);
});

after(async () => {
  for (const session of [web, admin]) session.destroy();
  await kit.stop();
});

/** The prefix of a message of this length in bytes. */
function prefixOf(length: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

// node:http2 keeps a closed stream while part of its request is unread. A caller without a rule could use up its own
// budget in this way, and 64 KiB of the server's memory for each call. The server discards a part of the rest, and then
// resets the stream.
it("a call that is refused before all of its request is read uses no budget", async () => {
  for (let round = 0; round < 50; round++) {
    const stream = beginCall(web, PUT);
    stream.write(prefixOf(MAX_RECEIVE_BYTES));
    stream.write(Buffer.concat([bytesField(1, OTHER), Buffer.alloc(200_000)]));
    const { reason } = await answerOf(stream);
    assert.equal(reason, "ACCESS_DENIED", `round ${round}`);
  }
});

// The budget has space for the first message. grpc-js would collect a second one of 4 MiB before it refuses it.
describe("a unary call with a second message", () => {
  const get = grpcMessage(getRequest.encode(getRequest.of({ path: OTHER, version: 0 })));

  it("is refused at the first bytes of the second message", async () => {
    for (const pieces of [[Buffer.concat([get, prefixOf(MAX_RECEIVE_BYTES)])], [get, prefixOf(MAX_RECEIVE_BYTES)]]) {
      const stream = beginCall(admin, GET);
      const answer = answerOf(stream);
      for (const piece of pieces) await new Promise((sent) => stream.write(piece, sent));
      const { reason, resetCode } = await answer;
      assert.deepEqual([reason, resetCode], ["MALFORMED_REQUEST", 0], `in ${pieces.length} pieces`);
    }
  });

  it("is served without the second message", async () => {
    const stream = beginCall(admin, GET);
    stream.end(get);
    assert.equal((await answerOf(stream)).reason, "SECRET_NOT_FOUND");
  });
});
