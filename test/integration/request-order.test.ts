import assert from "node:assert/strict";
import type { ClientHttp2Session } from "node:http2";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { status as Code } from "@grpc/grpc-js";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { MAX_NAMED_VERSIONS, MAX_KEYS, MAX_RECEIVE_BYTES } from "../../src/contract/limits.ts";
import { getRequest, putRequest } from "../../src/contract/messages.ts";
import { type BareAnswer, answerOf, sessionOf } from "../support/bare-call.ts";
import { ADMIN, type Caller, ServerKit, WEB } from "../support/server-kit.ts";
import { bytesField } from "../support/wire-field.ts";

const PUT = "/coffer.v1.Secrets/Put";
const GET = "/coffer.v1.Secrets/Get";
const DELETE = "/coffer.v1.Secrets/Delete";
const CHECK = "/grpc.health.v1.Health/Check";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const VALUES = [{ key: "k", value: Buffer.from("v") }];

const SECRET = "shop/shared/a";
const OTHER = "shop/api/b";

let kit: ServerKit;
let web: ClientHttp2Session;
let admin: ClientHttp2Session;
let adminCalls: Caller;
let webCalls: Caller;

before(async () => {
  kit = await ServerKit.start();
  [web, admin] = await Promise.all([sessionOf(kit, WEB), sessionOf(kit, ADMIN)]);
  adminCalls = kit.caller(ADMIN);
  webCalls = kit.caller(WEB);
  for (const path of [SECRET, OTHER]) assert.equal((await adminCalls.put({ path, data: { k: path } })).code, "OK");
});

after(async () => {
  for (const session of [web, admin]) session.destroy();
  for (const caller of [adminCalls, webCalls]) caller.close();
  await kit.stop();
});

/** Makes one complete call. */
function call(session: ClientHttp2Session, path: string, message: Buffer, headers = {}): Promise<BareAnswer> {
  const stream = beginCall(session, path, headers);
  stream.end(message);
  return answerOf(stream);
}

/** The prefix of a message of this length in bytes, and its `first` bytes. */
function startOf(length: number, first: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, first]);
}

const get = grpcMessage(getRequest.encode(getRequest.of({ path: SECRET, version: 0 })));

// Decompression would come before every check, and 4 kB of gzip become 4 MiB. No caller needs compression.
describe("compression", () => {
  it("of a request is not supported, and the answer lists the supported encodings", async () => {
    const compressed = grpcMessage(gzipSync(get.subarray(5)));
    compressed[0] = 1;
    for (const path of [GET, CHECK, "/no.such/Method"]) {
      const { code, headers } = await call(admin, path, compressed, { "grpc-encoding": "gzip" });
      assert.equal(code, Code.UNIMPLEMENTED, path);
      assert.equal(headers["grpc-accept-encoding"], "identity", path);
    }
    const { code } = await call(admin, GET, get, { "grpc-encoding": "identity" });
    assert.equal(code, Code.OK);
  });

  // The header may be absent, which offers no encoding.
  it("is not offered in the answers of any service", async () => {
    const denied = grpcMessage(getRequest.encode(getRequest.of({ path: OTHER, version: 0 })));
    const answers = {
      get: await call(admin, GET, get),
      denied: await call(web, GET, denied),
      health: await call(web, CHECK, grpcMessage(Buffer.alloc(0))),
      reflection: await call(web, REFLECT, grpcMessage(bytesField(7, ""))),
      unknown: await call(web, "/no.such/Method", get),
    };
    const codes = Object.values(answers).map((answer) => answer.code);
    assert.deepEqual(codes, [Code.OK, Code.PERMISSION_DENIED, Code.OK, Code.OK, Code.UNIMPLEMENTED]);
    for (const [name, { headers }] of Object.entries(answers)) {
      assert.ok([undefined, "identity"].includes(headers["grpc-accept-encoding"] as string | undefined), name);
    }
  });

  // "Compressed-Flag" in gRPC over HTTP/2: without an encoding, such a message is an INTERNAL error.
  it("that a message claims without an encoding is a protocol error", async () => {
    const flagged = Buffer.from(get);
    flagged[0] = 1;
    for (const session of [admin, web]) assert.equal((await call(session, GET, flagged)).code, Code.INTERNAL);
    assert.equal((await call(admin, GET, get)).code, Code.OK);
  });
});

// gRPC over HTTP/2, "Requests". Otherwise a proxy or a browser that speaks another protocol over HTTP/2 would get a gRPC
// status in trailers, which it does not read.
describe("a request that is not of gRPC", () => {
  it("is refused with the HTTP status 415, and not applied", async () => {
    for (const contentType of [
      "application/json",
      "text/plain",
      "application/grpc-web+proto",
      "application/grpcx",
      "",
    ]) {
      for (const path of [GET, CHECK]) {
        const { headers } = await call(admin, path, get, { "content-type": contentType });
        assert.equal(headers[":status"], 415, `${path} ${contentType}`);
      }
    }
    for (const contentType of [
      "application/grpc",
      "application/grpc+proto",
      "application/grpc; a=b",
      "Application/gRPC",
    ]) {
      const { code, headers } = await call(admin, GET, get, { "content-type": contentType });
      assert.deepEqual([headers[":status"], code], [200, Code.OK], contentType);
    }
  });
});

// gRPC over HTTP/2, "Requests". A HEAD once got neither message nor status, although its Put was applied.
describe("a request whose HTTP method is not POST", () => {
  const path = "shop/shared/not-post";
  const put = grpcMessage(
    putRequest.encode(putRequest.of({ path, data: VALUES, binaryData: [], expectedVersion: undefined })),
  );

  it("is refused with the HTTP status 405, and not applied", async () => {
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS", "post"]) {
      for (const target of [PUT, CHECK]) {
        const headersOf = { ":method": method, ":path": target, "content-type": "application/grpc" };
        // Without this option, a client of node:http2 sends no body with GET and HEAD.
        const stream = admin.request(headersOf, { endStream: false });
        stream.end(put);
        const { code, headers } = await answerOf(stream);
        assert.deepEqual([headers[":status"], code], [405, Code.INTERNAL], `${method} ${target}`);
      }
    }
    assert.equal((await adminCalls.get({ path })).reason, "SECRET_NOT_FOUND");
    assert.equal((await call(admin, PUT, put)).code, Code.OK);
  });
});

// Almost all requests arrive in one piece with their headers, and are answered immediately. A request that arrives in other
// pieces gets the same answer.
describe("a request in two pieces", () => {
  it("is answered once, at any place where it is divided", async () => {
    const whole = await call(admin, GET, get);
    for (let at = 0; at <= get.length; at++) {
      const stream = beginCall(admin, GET);
      await new Promise((sent) => stream.write(get.subarray(0, at), sent));
      // The server answers a PING after it has received the first piece.
      await new Promise((answered) => admin.ping(answered));
      stream.end(get.subarray(at));
      const { code, body, reason } = await answerOf(stream);
      assert.deepEqual([code, reason, body], [Code.OK, undefined, whole.body], `after ${at} bytes`);
    }
  });

  it("is malformed if it ends too early or too late, at any place", async () => {
    for (let length = 0; length < get.length; length++) {
      const { reason } = await call(admin, GET, get.subarray(0, length));
      assert.equal(reason, "MALFORMED_REQUEST", `${length} bytes`);
    }
    for (const more of [1, 5, get.length]) {
      const { reason } = await call(admin, GET, Buffer.concat([get, get.subarray(0, more)]));
      assert.equal(reason, "MALFORMED_REQUEST", `${more} bytes more`);
    }
  });
});

describe("a caller without permission", () => {
  // The test never sends the rest, so the server must answer after the first bytes. RFC 9113 8.1: a server that has
  // answered asks the client by RST_STREAM with NO_ERROR to stop sending.
  it("is refused after the first bytes of 4 MiB", async () => {
    for (const method of [PUT, DELETE]) {
      const stream = beginCall(web, method);
      stream.write(startOf(MAX_RECEIVE_BYTES, bytesField(1, OTHER)));
      const { code, reason, resetCode } = await answerOf(stream);
      assert.deepEqual([code, reason, resetCode], [Code.PERMISSION_DENIED, "ACCESS_DENIED", 0], method);
    }
  });

  it("is refused before the fields after the path are decoded", async () => {
    const garbage = Buffer.concat([bytesField(1, OTHER), Buffer.alloc(100, 0xff)]);
    for (const method of ["Get", "Put", "Delete", "Describe"]) {
      assert.equal((await webCalls.raw(method, garbage)).reason, "ACCESS_DENIED", method);
      assert.equal((await adminCalls.raw(method, garbage)).reason, "MALFORMED_REQUEST", method);
    }
  });
});

// The result does not depend on packets: all bytes at once, or each byte in its own packet until there is an answer.
describe("a path after other fields", () => {
  const empty = Buffer.of(0x78, 0); // field 15, which no request has, with the value 0
  const path = bytesField(1, SECRET);
  const most = Buffer.concat([...Array.from({ length: 63 }, () => empty), path]);
  const late = Buffer.concat([...Array.from({ length: 64 }, () => empty), path]);
  const deep = Buffer.concat([bytesField(15, Buffer.alloc(16 * 1024)), path]);

  async function inPieces(message: Buffer, size: number): Promise<BareAnswer> {
    const stream = beginCall(admin, DELETE);
    const answer = answerOf(stream);
    for (let offset = 0; offset < message.length && !stream.closed; offset += size) {
      await new Promise((sent) => stream.write(message.subarray(offset, offset + size), sent));
    }
    stream.end();
    return answer;
  }

  it("is served as the 64th field", async () => {
    const { code, response } = await adminCalls.raw("Get", most);
    assert.deepEqual([code, response?.path], ["OK", SECRET]);
  });

  it("is refused as the 65th field, and after 16 KiB", async () => {
    for (const [name, message] of Object.entries({ late, deep })) {
      for (const size of [1 << 20, 1000, 16, 4, 1].filter((each) => message.length / each < 64)) {
        const { reason, message: text } = await inPieces(grpcMessage(message), size);
        assert.equal(reason, "MALFORMED_REQUEST", `${name} in pieces of ${size}`);
        assert.match(text, /path/, `${name} in pieces of ${size}`);
      }
    }
  });

  it("does not delay the refusal until the rest has arrived", async () => {
    const stream = beginCall(web, PUT);
    stream.write(startOf(MAX_RECEIVE_BYTES, deep.subarray(0, 16 * 1024)));
    assert.equal((await answerOf(stream)).reason, "MALFORMED_REQUEST");
  });
});

// Protobuf uses the last of two values. If the server checked one and used the other, a caller could read what the
// policy denies.
describe("a path that occurs twice", () => {
  const twice = (first: string, second: string) => Buffer.concat([bytesField(1, first), bytesField(1, second)]);

  it("does not authorize one value and use the other", async () => {
    const allowedFirst = await webCalls.raw("Get", twice(SECRET, OTHER));
    assert.deepEqual([allowedFirst.reason, allowedFirst.metadata["field"]], ["MALFORMED_REQUEST", "path"]);
    const deniedFirst = await webCalls.raw("Get", twice(OTHER, SECRET));
    assert.equal(deniedFirst.reason, "ACCESS_DENIED");
    const own = await webCalls.raw("Get", bytesField(1, SECRET));
    assert.equal(own.response.data.k, SECRET);
  });

  it("changes neither secret", async () => {
    const latest = async (path: string) => (await adminCalls.describe({ path })).response.latest_version;
    const before = [await latest(SECRET), await latest(OTHER)];
    const put = Buffer.concat([
      twice(SECRET, OTHER),
      bytesField(2, Buffer.concat([bytesField(1, "k"), bytesField(2, "v")])),
    ]);
    assert.equal((await adminCalls.raw("Put", put)).reason, "MALFORMED_REQUEST");
    assert.deepEqual([await latest(SECRET), await latest(OTHER)], before);
  });
});

// The elements of a repeated field or map cost much more memory than the bytes that they take in the request.
describe("a request with too many elements", () => {
  const repeat = (element: Buffer, count: number) =>
    Buffer.concat([bytesField(1, SECRET), Buffer.alloc(element.length * count, element)]);
  const rows = [
    { name: "data", method: "Put", element: bytesField(2, ""), most: MAX_KEYS, reason: "LIMIT_EXCEEDED" },
    { name: "binary_data", method: "Put", element: bytesField(3, ""), most: MAX_KEYS, reason: "LIMIT_EXCEEDED" },
    {
      name: "versions",
      method: "Delete",
      element: Buffer.of(0x10, 99),
      most: MAX_NAMED_VERSIONS,
      reason: "LIMIT_EXCEEDED",
    },
  ];

  for (const { name, method, element, most, reason } of rows) {
    it(`is refused: ${name}`, async () => {
      const above = await adminCalls.raw(method, repeat(element, most + 1));
      assert.deepEqual([above.reason, above.metadata["field"], above.metadata["limit"]], [reason, name, String(most)]);
      // The same request with fewer elements has another problem: entries without a key, or versions that do not exist.
      assert.notEqual((await adminCalls.raw(method, repeat(element, most))).reason, reason);
    });
  }

  it("is refused: unknown fields", async () => {
    const above = await adminCalls.raw("Get", repeat(Buffer.of(0x78, 0), 2_000_000));
    assert.equal(above.reason, "MALFORMED_REQUEST");
    assert.equal((await adminCalls.raw("Get", repeat(Buffer.of(0x78, 0), 50))).code, "OK");
  });
});

// A request to health or reflection contains only a name, so it is never large.
describe("health and reflection", () => {
  const rows = { [CHECK]: 1, [REFLECT]: 4 } as const;
  for (const [method, field] of Object.entries(rows)) {
    it(`read no request above 8 KiB: ${method}`, async () => {
      const [fits, above] = [8192 - 3, 8192 - 2].map((length) => grpcMessage(bytesField(field, "n".repeat(length))));
      assert.equal((await call(web, method, above!)).code, Code.RESOURCE_EXHAUSTED);
      assert.notEqual((await call(web, method, fits!)).code, Code.RESOURCE_EXHAUSTED);
    });
  }
});
