import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type MessageTypeDefinition, loadSync } from "@grpc/proto-loader";
import fc from "fast-check";
import { loadContract } from "../../../src/contract/descriptors.ts";
import * as details from "../../../src/contract/error-details.ts";
import type { Codec } from "../../../src/contract/message.ts";
import * as messages from "../../../src/contract/messages.ts";
import { WireError } from "../../../src/contract/wire.ts";
import { bytesField } from "../../support/wire-field.ts";

const contract = loadContract();

interface DescriptorField {
  readonly name: string;
  readonly number: number;
  readonly type: string;
}

const NOT_MESSAGES = ["coffer.v1.Secrets", "coffer.v1.VersionState", "coffer.v1.ReportState"];

function describedFields(name: string): DescriptorField[] {
  return ((contract[name] as MessageTypeDefinition<object, object>).type as { field: DescriptorField[] }).field;
}

/**
 * The message as protobufjs reads it from the proto's text. From a descriptor set, it would read maps as plain lists.
 */
function protobufjs(name: string): MessageTypeDefinition<object, object> {
  const proto = loadSync("coffer/v1/coffer.proto", { includeDirs: ["proto"], keepCase: true, longs: String });
  return proto[name] as MessageTypeDefinition<object, object>;
}

const tables: readonly (readonly [string, Codec<never>])[] = [
  ["coffer.v1.PutRequest", messages.putRequest],
  ["coffer.v1.PutResponse", messages.putResponse],
  ["coffer.v1.GetRequest", messages.getRequest],
  ["coffer.v1.GetResponse", messages.getResponse],
  ["coffer.v1.DeleteRequest", messages.deleteRequest],
  ["coffer.v1.DeleteResponse", messages.deleteResponse],
  ["coffer.v1.ListRequest", messages.listRequest],
  ["coffer.v1.ListResponse", messages.listResponse],
  ["coffer.v1.ListEntry", messages.listEntry],
  ["coffer.v1.DescribeRequest", messages.describeRequest],
  ["coffer.v1.DescribeResponse", messages.describeResponse],
  ["coffer.v1.VersionDescription", messages.versionDescription],
  ["coffer.v1.PatchRequest", messages.patchRequest],
  ["coffer.v1.PatchResponse", messages.patchResponse],
  ["coffer.v1.UndeleteRequest", messages.undeleteRequest],
  ["coffer.v1.UndeleteResponse", messages.undeleteResponse],
  ["coffer.v1.DestroyRequest", messages.destroyRequest],
  ["coffer.v1.DestroyResponse", messages.destroyResponse],
  ["coffer.v1.RestoreRequest", messages.restoreRequest],
  ["coffer.v1.RestoreResponse", messages.restoreResponse],
  ["coffer.v1.CopyRequest", messages.copyRequest],
  ["coffer.v1.CopyResponse", messages.copyResponse],
  ["coffer.v1.PurgeRequest", messages.purgeRequest],
  ["coffer.v1.PurgeResponse", messages.purgeResponse],
  ["coffer.v1.MetadataRequest", messages.metadataRequest],
  ["coffer.v1.MetadataResponse", messages.metadataResponse],
  ["coffer.v1.CommitRequest", messages.commitRequest],
  ["coffer.v1.CommitResponse", messages.commitResponse],
  ["coffer.v1.BatchGetRequest", messages.batchGetRequest],
  ["coffer.v1.BatchGetResponse", messages.batchGetResponse],
  ["coffer.v1.BatchGetEntry", messages.batchGetEntry],
  ["coffer.v1.Operation", messages.commitOperation],
  ["coffer.v1.Guard", messages.commitGuard],
  ["coffer.v1.OperationResult", messages.commitResult],
  ["coffer.v1.BatchGetError", messages.batchGetError],
  ["coffer.v1.WatchRequest", messages.watchRequest],
  ["coffer.v1.WatchResponse", messages.watchResponse],
  ["coffer.v1.WatchedSecret", messages.watchedSecret],
  ["coffer.v1.Synced", messages.watchSynced],
  ["coffer.v1.Heartbeat", messages.watchHeartbeat],
  ["coffer.v1.Resync", messages.watchResync],
  ["coffer.v1.Revoked", messages.watchRevoked],
  ["coffer.v1.ReportRequest", messages.reportRequest],
  ["coffer.v1.ReportResponse", messages.reportResponse],
  ["coffer.v1.Convergence", messages.convergence],
  ["coffer.v1.Watcher", messages.laggingWatcher],
  ["google.rpc.Status", details.status],
  ["google.rpc.ErrorInfo", details.errorInfo],
  ["google.rpc.BadRequest", details.badRequest],
  ["google.rpc.RetryInfo", details.retryInfo],
] as unknown as readonly (readonly [string, Codec<never>])[];

// Each codec's table has the same field names, numbers and types as the proto, so neither can change alone.
describe("the table of a codec equals the descriptor of", () => {
  it("every message of coffer.v1", () => {
    const all = Object.keys(contract).filter((name) => /^coffer\.v1\.\w+$/.test(name) && !NOT_MESSAGES.includes(name));
    assert.deepEqual(new Set(tables.map(([name]) => name).filter((name) => /^coffer/.test(name))), new Set(all));
  });

  for (const [name, codec] of tables) {
    it(name, () => {
      const table = codec.fields.map(({ name, number, type }) => ({ name, number, type: `TYPE_${type}` }));
      const described = describedFields(name).map(({ name, number, type }) => ({ name, number, type }));
      assert.deepEqual(table, described);
    });
  }
});

const key = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/);
const text = fc.string({ unit: "grapheme" }).map((value) => Buffer.from(value));
const binary = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
/** From the year 1 to 9999. */
const time = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
const putRequest = fc.record(
  {
    path: fc.string({ unit: "grapheme" }),
    data: fc.uniqueArray(fc.record({ key, value: text }, { noNullPrototype: true }), {
      selector: (entry) => entry.key,
    }),
    binaryData: fc.uniqueArray(fc.record({ key, value: binary }, { noNullPrototype: true }), {
      selector: (entry) => entry.key,
    }),
    expectedVersion: fc.option(uint32, { nil: undefined }),
    expireTime: fc.option(time, { nil: undefined }),
    ttl: fc.option(fc.integer({ min: -1e12, max: 1e12 }), { nil: undefined }),
    requestId: fc.string(),
  },
  { noNullPrototype: true },
);

const change = fc.oneof(
  putRequest.map((value) => ({ kind: "put", value }) as const),
  fc
    .record(
      { path: fc.string(), versions: fc.array(uint32), expectedVersion: fc.constant(0), requestId: fc.string() },
      { noNullPrototype: true },
    )
    .map((value) => ({ kind: "undelete", value }) as const),
  fc
    .record({
      path: fc.string(),
      labels: fc.array(fc.tuple(fc.string(), fc.string({ unit: "grapheme" })), { maxLength: 4 }),
      removeLabels: fc.array(fc.string()),
      maxVersions: fc.option(uint32, { nil: undefined }),
      description: fc.option(fc.string(), { nil: undefined }),
      casRequired: fc.option(fc.boolean(), { nil: undefined }),
      defaultTtl: fc.option(fc.nat(), { nil: undefined }),
    })
    .map((value) => ({ kind: "metadata", value: messages.metadataRequest.of(value) }) as const),
);

// Decoding an encoded message returns an equal message. This includes the key "__proto__", and an expected_version that
// is absent or 0.
describe("encoding and decoding", () => {
  it("returns an equal request", () => {
    fc.assert(
      fc.property(putRequest, (request) => {
        const decoded = messages.putRequest.decode(messages.putRequest.encode(request));
        assert.deepEqual(decoded, request);
      }),
    );
  });

  it("returns an equal Commit, with the kind of each operation, and absent fields that differ from empty ones", () => {
    const operation = fc.record({ change: fc.option(change, { nil: undefined }) }, { noNullPrototype: true });
    const guards = fc.array(fc.record({ path: fc.string(), expectedVersion: uint32 }, { noNullPrototype: true }));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), guards, (operations, guards) => {
        const request = { operations, guards, requestId: "" };
        assert.deepEqual(messages.commitRequest.decode(messages.commitRequest.encode(request)), request);
      }),
    );
  });

  // The length of a nested message is written after it, so a message moves if its length takes more than one byte.
  it("returns equal nested messages of every length around those at which the length takes another byte", () => {
    for (const length of [2 ** 7, 2 ** 14, 2 ** 21]) {
      for (let bytes = length - 40; bytes <= length; bytes++) {
        const data = [{ key: "k", value: Buffer.alloc(bytes, "v") }];
        const put = { kind: "put", value: messages.putRequest.of({ path: "p", data, requestId: "after" }) } as const;
        const request = messages.commitRequest.of({ operations: [{ change: put }, { change: put }], requestId: "end" });
        const decoded = messages.commitRequest.decode(messages.commitRequest.encode(request));
        assert.ok(isDeepStrictEqual(decoded, request), `with a value of ${bytes} bytes`);
      }
    }
  });

  it("returns an equal duration, with a fraction and a sign", () => {
    for (const ttl of [0, 1, -1, 1.5, -1.5, 999.999, -2000.25, 315_360_000_000]) {
      const request = messages.putRequest.of({ ttl });
      assert.equal(messages.putRequest.decode(messages.putRequest.encode(request)).ttl, ttl);
    }
  });

  it("keeps a key named __proto__", () => {
    const entry = { key: "__proto__", value: Buffer.from("x") };
    const request = messages.putRequest.of({ path: "a", data: [entry] });
    assert.deepEqual(messages.putRequest.decode(messages.putRequest.encode(request)).data, [entry]);
  });

  it("returns equal numbers, negative ones included", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (pageSize) => {
        const request = messages.listRequest.of({ pageSize });
        assert.deepEqual(messages.listRequest.decode(messages.listRequest.encode(request)), request);
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeNat(), (revision) => {
        const response = messages.deleteResponse.of({ path: "a", versions: [1, 2 ** 32 - 1], revision });
        assert.deepEqual(messages.deleteResponse.decode(messages.deleteResponse.encode(response)), response);
      }),
    );
  });

  it("is compatible with protobufjs in both directions", () => {
    const { serialize, deserialize } = protobufjs("coffer.v1.GetResponse");
    fc.assert(
      fc.property(fc.nat({ max: 253_402_300_799_999 }), uint32, binary, (createTime, version, value) => {
        const content = { data: [], binaryData: [{ key: "k", value }] };
        const response = messages.getResponse.of({ path: "p", version, ...content, createTime, revision: 7 });
        const decoded = deserialize(messages.getResponse.encode(response)) as {
          version?: number;
          binary_data: Record<string, Buffer>;
          create_time: { seconds?: string; nanos?: number };
        };
        assert.equal(decoded.version ?? 0, version);
        assert.deepEqual(Buffer.from(decoded.binary_data["k"]!), value);
        const { seconds = "0", nanos = 0 } = decoded.create_time;
        assert.equal(Number(seconds) * 1000 + nanos / 1e6, createTime);
        assert.deepEqual(messages.getResponse.decode(serialize(decoded)), response);
      }),
    );
  });
});

function refusal(codec: Codec<unknown>, hex: string): string {
  try {
    codec.decode(Buffer.from(hex, "hex"));
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof WireError, String(error));
    return error.message;
  }
}

// Each invalid message has a valid counterpart of the same shape, so that the defect alone causes the refusal.
describe("strict decoding", () => {
  const rows: [what: string, hex: string, verdict: string][] = [
    ["a path", "0a0161", "accepted"],
    ["a truncated path", "0a0261", "path is truncated"],
    ["a truncated tag", "0a016180", "the message is truncated"],
    ["invalid UTF-8", "0a02c328", "path is not valid UTF-8"],
    ["an overlong UTF-8 slash", "0a02c0af", "path is not valid UTF-8"],
    ["a lone surrogate", "0a03eda080", "path is not valid UTF-8"],
    ["valid UTF-8 of the same length", "0a02c3a9", "accepted"],
    ["a number for the path", "0801", "path has wire type 0 instead of 2"],
    ["a version", "0a01611003", "accepted"],
    ["a version of 2^32-1", "10ffffffff0f", "accepted"],
    ["a version of 2^32", "108080808010", "version does not fit in 32 bits"],
    ["a version of 11 bytes", "10ffffffffffffffffffff01", "version has a number of more than 64 bits"],
    ["an unknown varint", "980601", "accepted"],
    ["an unknown string", "9a060161", "accepted"],
    ["a truncated unknown string", "9a060261", "the message is truncated"],
    ["a truncated unknown fixed64", "99060102", "the message is truncated"],
    ["a group", "9b06", "the message has a field of wire type 3"],
    ["wire type 6", "9e06", "the message has a field of wire type 6"],
    ["the field number 0", "0001", "the message has a field with the number 0"],
    ["a repeated path, of which the last one counts", "0a01610a0162", "accepted"],
  ];
  for (const [what, hex, verdict] of rows) {
    it(`of ${what}: ${verdict}`, () => assert.equal(refusal(messages.getRequest as Codec<unknown>, hex), verdict));
  }

  it("refuses an int32 that does not fit in 32 bits", () => {
    const list = messages.listRequest as Codec<unknown>;
    assert.equal(refusal(list, "1080808080f8ffffffff01"), "accepted");
    assert.equal(refusal(list, "10fffffffff7ffffffff01"), "page_size does not fit in 32 bits");
  });

  it("requires UTF-8 for text in a map, and not for binary data", () => {
    const put = messages.putRequest as Codec<unknown>;
    assert.equal(refusal(put, "12060a016b1201ff"), "data is not valid UTF-8");
    assert.equal(refusal(put, "1a060a016b1201ff"), "accepted");
  });

  // The field of an error is the path of the field, so that a caller finds it in a Commit of 128 operations.
  it("names a nested field by its path", () => {
    const commit = messages.commitRequest as Codec<unknown>;
    const operation = (change: string) => Buffer.from(`0a${varint(change.length / 2)}${change}`, "hex").toString("hex");
    const good = operation("0a030a0161");
    assert.equal(refusal(commit, good.repeat(2)), "accepted");
    assert.equal(refusal(commit, good + operation("0a030a01ff")), "operations[1].put.path is not valid UTF-8");
    assert.equal(refusal(commit, operation("0a0712050a016b1205")), "operations[0].put.data is truncated");
    assert.equal(refusal(commit, operation("0a032a0110")), "operations[0].put.expire_time.nanos is truncated");
    assert.equal(refusal(commit, `12020801${good}`), "guards[0].path has wire type 0 instead of 2");
    assert.equal(refusal(commit, `12030a0162${good}`), "accepted");
  });

  it("refuses two changes in one operation, which another implementation would merge or replace", () => {
    const commit = messages.commitRequest as Codec<unknown>;
    const put = "0a030a0161";
    const purge = "42030a0161";
    assert.equal(refusal(commit, `0a05${put}`), "accepted");
    assert.equal(refusal(commit, `0a05${purge}`), "accepted");
    assert.match(refusal(commit, `0a0a${put}${purge}`), /^operations\[0\]\.purge is set, and so is another field/);
    assert.match(refusal(commit, `0a0a${put}${put}`), /^operations\[0\]\.put is set, and so is another field/);
  });

  it("refuses times that are not valid", () => {
    const put = messages.putRequest as Codec<unknown>;
    assert.equal(refusal(put, "2a061080a8d6b907"), "expire_time.nanos is not between 0 and 999,999,999");
    assert.equal(refusal(put, "2a051080a8d639"), "accepted");
    assert.match(refusal(put, "3206080110ffffffff"), /^ttl/);
    assert.equal(refusal(put, "320408011001"), "accepted");
    assert.match(refusal(put, `320d080110${"ff".repeat(9)}01`), /^ttl\.nanos has another sign than seconds/);
  });

  it("accepts packed and unpacked numbers alike", () => {
    const packed = messages.deleteRequest.decode(Buffer.from("12020103", "hex"));
    assert.deepEqual(packed.versions, messages.deleteRequest.decode(Buffer.from("10011003", "hex")).versions);
  });

  // The decoder stops at the limit of a field, although the receive limit allows more elements. The bytes after the
  // limit are invalid, so the error shows that the decoder did not read them.
  it("stops reading at the maximum number of elements of a field", () => {
    const versions = (count: number, rest = "") => Buffer.from("1001".repeat(count) + rest, "hex");
    const packed = (count: number) => Buffer.from(`12${varint(count)}${"01".repeat(count)}`, "hex");
    const entries = (count: number, rest = "") => Buffer.from("12030a0161".repeat(count) + rest, "hex");
    assert.equal(messages.deleteRequest.decode(versions(1000)).versions.length, 1000);
    assert.equal(messages.deleteRequest.decode(packed(1000)).versions.length, 1000);
    assert.equal(messages.putRequest.decode(entries(4096)).data.length, 4096);
    assert.throws(() => messages.deleteRequest.decode(versions(1001, "ff")), /versions has more than 1000 elements/);
    assert.throws(() => messages.deleteRequest.decode(packed(1001)), /versions has more than 1000 elements/);
    assert.throws(() => messages.putRequest.decode(entries(4097, "ff")), /data has more than 4096 elements/);
  });

  // An unknown or a repeated field takes as much time to decode as an element does.
  it("stops reading at the maximum number of fields of a request, unknown ones included", () => {
    const unknown = (count: number, rest = "") => Buffer.from("7800".repeat(count) + rest, "hex");
    const entry = (fields: number) => Buffer.from(`12${varint(2 * fields)}${"7800".repeat(fields)}`, "hex");
    for (const codec of [messages.putRequest, messages.getRequest, messages.deleteRequest, messages.listRequest]) {
      assert.doesNotThrow(() => codec.decode(unknown(16_384)));
      assert.throws(() => codec.decode(unknown(16_385, "ff")), /has more than 16384 fields/);
    }
    // Fields of nested messages count too, as do the entries of their maps.
    const nested = (count: number) => bytesField(1, bytesField(1, Buffer.from("12030a0161".repeat(count), "hex")));
    const halves = (count: number) => Buffer.concat([nested(4000), nested(4000), nested(4000), nested(count)]);
    // 12,000 entries, four operations and four puts.
    assert.doesNotThrow(() => messages.commitRequest.decode(Buffer.concat([halves(4000), unknown(384 - 8)])));
    assert.throws(() => messages.commitRequest.decode(Buffer.concat([halves(4000), unknown(385 - 8)])), /16384 fields/);
    assert.doesNotThrow(() => messages.putRequest.decode(entry(8)));
    assert.throws(() => messages.putRequest.decode(entry(9)), /data has an entry of more than 8 fields/);
  });
});

// For any bytes, decoding returns a message or throws a WireError.
it("a codec decodes any bytes to a message or a WireError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const verdict = refusal(messages.putRequest as Codec<unknown>, Buffer.from(bytes).toString("hex"));
      assert.equal(typeof verdict, "string");
    }),
    { numRuns: 2000 },
  );
});

// A decoded value does not keep the connection's buffer alive, and does not change with it.
it("a codec copies decoded values out of the buffer", () => {
  const data = [{ key: "k", value: Buffer.from("v") }];
  const request = messages.putRequest.of({ path: "a", data, expectedVersion: 0 });
  const bytes = messages.putRequest.encode(request);
  const decoded = messages.putRequest.decode(bytes);
  bytes.fill(0);
  assert.deepEqual(decoded, request);
});

function varint(value: number): string {
  const bytes = value < 128 ? [value] : [(value % 128) | 128, Math.floor(value / 128)];
  return Buffer.from(bytes).toString("hex");
}
