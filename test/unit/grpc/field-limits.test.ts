import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MessageTypeDefinition } from "@grpc/proto-loader";
import { loadContract } from "../../../src/contract/descriptors.ts";
import { METHODS } from "../../../src/grpc/secrets-service.ts";
import { BASE, type FieldRow, KINDS, entry, fieldRows, operation } from "../../support/field-rows.ts";
import { ServiceKit } from "../../support/service-kit.ts";

/** More than the bytes of 4,096 keys in these rows, so that a row with too many keys exceeds only the limit on keys. */
const MAX_CONTENT_BYTES = 64 * 1024;

const rows = fieldRows(MAX_CONTENT_BYTES);

/** A store in which a/db has the versions 1 to 3. */
async function openKit(): Promise<ServiceKit> {
  const kit = await ServiceKit.open({ maxContentBytes: MAX_CONTENT_BYTES });
  for (let i = 0; i < 3; i++) await kit.call("Put", { path: "a/db", data: [entry("k", "v"), entry("other", "v")] });
  return kit;
}

const INVALID = new Set(["INVALID_FIELD", "LIMIT_EXCEEDED", "MALFORMED_REQUEST"]);

const titleOf = ({ call, field }: FieldRow) => `${call}.${field}`;

// A value at or below a limit may have another error, such as SECRET_NOT_FOUND, but none that names a field.
describe("each field of each request has a limit or a rule", () => {
  it("the rows of this test contain every field", () => {
    const contract = loadContract();
    for (const call of METHODS) {
      const { type } = contract[`coffer.v1.${call}Request`] as MessageTypeDefinition<object, object>;
      for (const { name } of (type as { field: { name: string }[] }).field) {
        const isCovered = rows.some((row) => row.call === call && row.field.replace(/\[.*/, "") === name);
        assert.ok(isCovered || name === "page_token", `${call}.${name}`);
      }
    }
  });

  for (const row of rows) {
    it(`${titleOf(row)}: ${row.accepted.map(({ what }) => what).join(", ")} are accepted`, async () => {
      for (const { what, request } of row.accepted) {
        const outcome = await (await openKit()).call(row.call, request);
        const isValid = outcome.kind === "response" || !INVALID.has(outcome.reason);
        assert.ok(isValid, `${what}: ${JSON.stringify(outcome)}`);
      }
    });

    it(`${titleOf(row)}: ${row.refused.map(({ what }) => what).join(", ")} are refused`, async () => {
      const kit = await openKit();
      const before = kit.store.snapshot().revision;
      for (const { what, request, reason } of row.refused) {
        const outcome = await kit.call(row.call, request);
        assert.ok(outcome.kind === "error", `${what} was accepted`);
        assert.deepEqual([outcome.reason, outcome.field], [reason, row.field], `${what}: ${outcome.message}`);
      }
      assert.equal(kit.store.snapshot().revision, before, "nothing was changed");
    });
  }
});

// The same requests as operations of a Commit, behind an operation that is valid: the error names the operation and the
// field in it, and the valid operation is not applied.
describe("a Commit with one bad operation changes nothing", () => {
  const kinds = new Map<string, string>(Object.entries(KINDS));
  for (const row of rows) {
    const kind = kinds.get(row.call);
    if (kind === undefined || row.refused.length === 0 || row.field === "request_id") continue;
    it(`${kind}.${row.field}`, async () => {
      const kit = await openKit();
      const before = kit.store.snapshot().revision;
      for (const { what, request, reason } of row.refused) {
        const good = operation("put", { path: "a/new", data: [entry("k", "v")] });
        const outcome = await kit.call("Commit", { operations: [good, operation(kind, request)] });
        assert.ok(outcome.kind === "error", `${what} was accepted`);
        const { metadata, message } = outcome;
        assert.equal(outcome.reason, reason, message);
        assert.equal(outcome.field, `operations[1].${kind}.${row.field}`, what);
        // A request that can't be decoded has no operations yet.
        if (metadata["operation"] === undefined) assert.match(message, /operations\[1\]/);
        else assert.deepEqual([metadata["operation"], message.slice(0, 13)], ["1", "operation 1: "]);
      }
      assert.equal(kit.store.snapshot().revision, before);
      assert.equal((await kit.call("Get", { path: "a/new" })).kind, "error");
    });
  }

  // Without this, a Commit that is always refused would pass.
  it("(control) a Commit with a good operation in its place is applied", async () => {
    const kit = await openKit();
    for (const [call, kind] of Object.entries(KINDS)) {
      const good = operation("put", { path: `a/new-${kind}`, data: [entry("k", "v")] });
      const fields = { ...BASE[call as keyof typeof KINDS], ...(kind === "purge" ? { path: "a/copy" } : {}) };
      const outcome = await kit.call("Commit", { operations: [good, operation(kind, fields)] });
      assert.ok(outcome.kind === "response", `${kind}: ${JSON.stringify(outcome)}`);
    }
  });

  it("request_id of an operation", async () => {
    const kit = await openKit();
    const requestId = "6e35d3a3-f5d4-4fa1-9c3e-27fdfa0d6a0c";
    const outcome = await kit.call("Commit", { operations: [operation("put", { ...BASE.Put, requestId })] });
    assert.ok(outcome.kind === "error");
    assert.deepEqual([outcome.reason, outcome.field], ["INVALID_FIELD", "operations[0].put.request_id"]);
  });
});
