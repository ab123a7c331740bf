import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../../src/admission/connection.ts";
import type { AnswerableCall } from "../../../src/grpc/authorized-route.ts";
import type { SecretsMethods } from "../../../src/grpc/secrets-service.ts";
import { unary } from "../../../src/grpc/unary.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { entry, operation } from "../../support/field-rows.ts";
import { API_ID, ServiceKit } from "../../support/service-kit.ts";

/** All values below an object that are bytes. */
function bytesIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(bytesIn);
}

interface Handled {
  readonly request: unknown;
  readonly response: unknown;
  readonly failure: unknown;
  /** The encoded answer. */
  readonly answer: Buffer | undefined;
}

/** Answers a call as the server does, and returns what its method received and returned. */
async function answered(kit: ServiceKit, name: keyof SecretsMethods, fields: object): Promise<Handled> {
  const method = kit.method(name);
  let request: unknown;
  let response: unknown;
  const route = unary(
    { path: name, number: 0 },
    {
      ...method,
      handle: async (permit, decoded, isOver) => {
        request = decoded;
        response = await method.handle(permit, decoded, isOver);
        return response as object;
      },
    },
  );
  return new Promise((resolve) => {
    const end = (outcome: Pick<Handled, "failure" | "answer">) => resolve({ request, response, ...outcome });
    const call: AnswerableCall = {
      caller: { id: SpiffeId.parse(API_ID), connection: 1 } as Connection,
      isOver: false,
      whenRoom: (task) => task(),
      succeed: (framed) => end({ failure: undefined, answer: framed }),
      fail: (failure) => end({ failure, answer: undefined }),
      beginStream: () => assert.fail("answers with one message"),
      retainBudget: () => () => {},
      wipeRequest: () => {},
    };
    route.answer(call, method.request.encode(method.request.of(fields)));
  });
}

const VALUES = { data: [entry("t", "text-value")], binaryData: [entry("b", "binary-value")] };

const rows: readonly (readonly [name: keyof SecretsMethods, fields: object])[] = [
  ["Put", { path: "a/db", ...VALUES }],
  ["Patch", { path: "a/db", ...VALUES }],
  [
    "Commit",
    { operations: [operation("put", { path: "a/x", ...VALUES }), operation("patch", { path: "a/x", ...VALUES })] },
  ],
];

const refused: typeof rows = [
  ["Put", { path: "a/db", ...VALUES, expectedVersion: 7 }],
  ["Patch", { path: "a/db", ...VALUES, expectedVersion: 7 }],
  // The second operation is refused before the first one is encoded, or by the store.
  ["Commit", { operations: [operation("put", { path: "a/x", ...VALUES }), operation("purge", { path: "" })] }],
  ["Commit", { operations: [operation("put", { path: "a/x", ...VALUES }), operation("purge", { path: "a/none" })] }],
];

// Decoded values are copies: overwriting the bytes of the request does not remove them.
describe("the values of a request are overwritten", () => {
  for (const [name, fields] of rows) {
    it(`after a ${name} that succeeds`, async () => {
      const kit = await ServiceKit.open();
      await kit.call("Put", { path: "a/db", data: [entry("k", "v")] });
      const { request, failure } = await answered(kit, name, fields);
      assert.equal(failure, undefined);
      const values = bytesIn(request);
      assert.ok(values.length >= 2);
      for (const value of values) assert.ok(value.every((byte) => byte === 0));
    });
  }

  for (const [index, [name, fields]] of refused.entries()) {
    it(`after a ${name} that is refused (${index})`, async () => {
      const kit = await ServiceKit.open();
      await kit.call("Put", { path: "a/db", data: [entry("k", "v")] });
      const { request, failure } = await answered(kit, name, fields);
      assert.ok(failure instanceof Error);
      const values = bytesIn(request);
      assert.ok(values.length >= 2);
      for (const value of values) assert.ok(value.every((byte) => byte === 0));
    });
  }
});

describe("the values of an answer are overwritten when it is encoded", () => {
  for (const [name, fields] of [
    ["Get", { path: "a/db" }],
    ["Get", { path: "a/db", keys: ["b"] }],
    ["BatchGet", { paths: ["a/db", "a/none", "a/db"] }],
  ] as const) {
    it(`of ${name} ${JSON.stringify(fields)}`, async () => {
      const kit = await ServiceKit.open();
      await kit.call("Put", { path: "a/db", ...VALUES });
      const { response, answer } = await answered(kit, name, fields);
      assert.ok(answer?.includes("binary-value"), "the encoded answer has the value");
      const values = bytesIn(response);
      assert.ok(values.length >= 1);
      for (const value of values) assert.ok(value.every((byte) => byte === 0));
    });
  }
});
