import fc from "fast-check";
import type { SecretPath } from "../../src/domain/secret-path.ts";
import type { ChangeCommand, Expiry, OperationCommand } from "../../src/store/command.ts";

const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const optional = fc.option(number, { nil: undefined });
const text = fc.string({ unit: "binary", maxLength: 20 });
const path = fc.stringMatching(/^[a-z0-9._-]{1,20}(\/[a-z0-9._-]{1,20}){0,3}$/).map((path) => path as SecretPath);
const targeted = { path, expectedVersion: optional };
const plaintext = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

const expiry: fc.Arbitrary<Expiry> = fc.oneof(
  fc.constant({ kind: "default" as const }),
  fc.record({ kind: fc.constant("at" as const), time: number }),
  fc.record({ kind: fc.constant("after" as const), ms: number }),
);

const update = fc.record({
  maxVersions: optional,
  setLabels: fc.array(fc.tuple(text, text), { maxLength: 4 }),
  removedLabels: fc.array(text, { maxLength: 4 }),
  description: fc.option(text, { nil: undefined }),
  defaultTtl: optional,
  casRequired: fc.option(fc.boolean(), { nil: undefined }),
});

const operation: fc.Arbitrary<OperationCommand> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), ...targeted, plaintext, expiry }),
  fc.record({ kind: fc.constant("patch" as const), ...targeted, plaintext, removed: fc.array(text) }),
  fc.record(
    {
      kind: fc.constantFrom("delete" as const, "undelete" as const, "destroy" as const),
      ...targeted,
      versions: fc.array(number),
      convergence: fc.record({
        minWatchers: fc.nat(2 ** 32 - 1),
        refusal: fc.constantFrom("counted" as const, "named" as const),
      }),
    },
    { requiredKeys: ["kind", "path", "expectedVersion", "versions"] },
  ),
  fc.record({ kind: fc.constant("copy" as const), ...targeted, source: path, version: number }),
  fc.record({ kind: fc.constant("purge" as const), ...targeted }),
  fc.record({ kind: fc.constant("metadata" as const), ...targeted, update }),
);

/** A command with operations of any kind. It does not have to make sense. */
export const anyCommand: fc.Arbitrary<ChangeCommand> = fc.record({
  // Few of them, so that most occur several times.
  author: fc.constantFrom("spiffe://a/b", "spiffe://a/c"),
  operations: fc.array(operation, { minLength: 1, maxLength: 6 }),
  guards: fc.array(fc.record({ path, expectedVersion: number }), { maxLength: 3 }),
  requestId: fc.option(fc.uuid(), { nil: undefined }),
});
