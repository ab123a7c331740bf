import fc from "fast-check";
import type { ModelCommand, ModelOperation } from "./store-model.ts";

/** One step of a run. */
export type Step =
  /** Commands in one turn of the event loop, and the commands of other replicas before each attempt to commit them. */
  | { readonly kind: "group"; readonly commands: readonly Submitted[]; readonly foreign: readonly ModelCommand[] }
  /** Another replica commits a change while this store has no commands. */
  | { readonly kind: "foreign"; readonly command: ModelCommand }
  /** The wall clock is set, possibly back. */
  | { readonly kind: "clock"; readonly time: number }
  /** Time passes. */
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "sweep" }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "restart" };

/** A command, or the repetition of an earlier command of the run that has a request id. */
export type Submitted = ModelCommand | { readonly again: number };

/** Paths that are similar and adjacent in order. The first is written so often that its versions are pruned. */
export const PATHS = ["a", "a/b", "a/c", "a.b", "b", "__proto__"];
/** The prefixes of Lists. */
export const PREFIXES = ["", "a", "a/", "b", "zz"];
/** Labels of Lists. */
export const LABELS = [{}, { team: "shop" }, { team: "shop", tier: "1" }];

/** The number of attempts of a store to commit a group, as in store/group-commit.ts. */
export const ATTEMPTS = 8;

const IDS = [1, 2, 3, 4].map((n) => `9f4c0b6e-7a52-4d0c-8f0e-00000000000${n}`);

const HOUR = 3_600_000;

function weighted<T>(...choices: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const path = weighted([3, fc.constant("a")], [2, fc.constantFrom(...PATHS)]);
const author = fc.constantFrom("spiffe://example.org/one", "spiffe://example.org/two");
const expected = weighted<number | undefined>(
  [14, fc.constant(undefined)],
  [1, fc.nat({ max: 3 })],
  [1, fc.nat({ max: 14 })],
);
const value = fc.stringMatching(/^[a-z]{0,6}$/);
const key = fc.constantFrom("text", "more", "bytes");
const values = fc.dictionary(key, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
// Mostly versions that exist: a change of a state seldom succeeds otherwise.
const versions = weighted<number[]>(
  [3, fc.constant([])],
  [2, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 })],
  [1, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 })],
);
// All times are whole hours, so that they often meet the instant at which something expires.
const hours = (max: number) => fc.integer({ min: 1, max }).map((n) => n * HOUR);
const targeted = { path, expected };

const put = weighted(
  [4, fc.record({ kind: fc.constant("put" as const), ...targeted, values })],
  [2, fc.record({ kind: fc.constant("put" as const), ...targeted, values, after: hours(30) })],
  [1, fc.record({ kind: fc.constant("put" as const), ...targeted, values, at: hours(60) })],
);
const update = fc.record(
  {
    maxVersions: fc.integer({ min: 1, max: 12 }),
    set: fc.dictionary(fc.constantFrom("team", "tier"), fc.constantFrom("shop", "1"), { noNullPrototype: true }),
    unset: fc.subarray(["team", "tier"]),
    description: value,
    ttl: weighted([1, fc.constant(0)], [1, hours(20)]),
    cas: weighted([3, fc.constant(false)], [1, fc.constant(true)]),
  },
  { requiredKeys: [] },
);
const patch = fc.record({
  kind: fc.constant("patch" as const),
  ...targeted,
  values,
  removed: fc.subarray(["text", "bytes"]),
});
const metadata = fc
  .tuple(fc.record(targeted), update)
  .map(([target, what]) => ({ kind: "metadata" as const, ...target, ...what }));
const operation: fc.Arbitrary<ModelOperation> = weighted<ModelOperation>(
  [8, put],
  [3, patch],
  [
    2,
    fc.record({
      kind: fc.constant("patch" as const),
      ...targeted,
      values: fc.constant({}),
      removed: fc.array(key, { minLength: 1, maxLength: 2 }),
    }),
  ],
  [
    6,
    fc.record({
      kind: fc.constantFrom("delete" as const, "undelete" as const, "destroy" as const),
      ...targeted,
      versions,
    }),
  ],
  [3, fc.record({ kind: fc.constant("copy" as const), ...targeted, source: path, version: fc.nat({ max: 12 }) })],
  [2, fc.record({ kind: fc.constant("purge" as const), ...targeted })],
  [3, metadata],
);
/** An operation that needs no secret. At random, one of several operations is nearly always refused. */
const creation = weighted<ModelOperation>([1, put], [1, metadata]).map((one) => ({ ...one, expected: undefined }));
const guards = weighted<ModelCommand["guards"]>(
  [10, fc.constant([])],
  [1, fc.array(fc.record({ path, expected: fc.nat({ max: 6 }) }), { minLength: 1, maxLength: 2 })],
);
const command: fc.Arbitrary<ModelCommand> = fc.record({
  author,
  operations: weighted(
    [6, operation.map((one) => [one])],
    [1, fc.array(operation, { minLength: 2, maxLength: 5 })],
    [1, fc.array(creation, { minLength: 2, maxLength: 3 })],
  ),
  guards,
  id: weighted<string | undefined>([3, fc.constant(undefined)], [1, fc.constantFrom(...IDS)]),
});
const submitted = weighted<Submitted>([6, command], [1, fc.record({ again: fc.nat({ max: 20 }) })]);

/** The changes of other replicas: single operations, because they are made here without planning them. */
const foreignCommand: fc.Arbitrary<ModelCommand> = fc.record({
  author,
  operations: weighted<ModelOperation>(
    [3, put],
    [
      1,
      fc.record({
        kind: fc.constantFrom("delete" as const, "undelete" as const, "destroy" as const),
        ...targeted,
        versions,
      }),
    ],
  ).map((one) => [one]),
  guards: fc.constant([]),
  id: fc.constant(undefined),
});
/** A command without conditions, so that only the state of its secret can refuse it. */
function unconditional(by: string, one: ModelOperation): ModelCommand {
  return { author: by, operations: [{ ...one, expected: undefined }], guards: [], id: undefined };
}
const overtaking = put.map((one) => unconditional("spiffe://example.org/other", { ...one, path: "b" }));
const foreign = weighted<ModelCommand[]>(
  [3, fc.constant([])],
  [3, fc.array(foreignCommand, { minLength: 1, maxLength: 3 })],
  [1, fc.array(overtaking, { minLength: ATTEMPTS, maxLength: ATTEMPTS + 1 })],
);
/** A version is deleted, meets a patch, and is undeleted. At random, these seldom meet a deleted version. */
const thereAndBack = fc.tuple(author, versions, patch).map(([by, named, between]) => {
  const target = { path: between.path, expected: undefined, versions: named };
  const all = [{ kind: "delete" as const, ...target }, between, { kind: "undelete" as const, ...target }];
  return all.map((one) => unconditional(by, one));
});
/** Secrets are created. Most commands are refused if their secret does not exist. */
const creations = fc.array(
  put.map((one) => unconditional("spiffe://example.org/one", one)),
  { minLength: 2, maxLength: 6 },
);
const commands = weighted<readonly Submitted[]>(
  [6, fc.array(submitted, { minLength: 1, maxLength: 6 })],
  [1, thereAndBack],
  [1, creations],
);
const step: fc.Arbitrary<Step> = weighted<Step>(
  [10, fc.record({ kind: fc.constant("group" as const), commands, foreign })],
  [1, fc.record({ kind: fc.constant("foreign" as const), command: foreignCommand })],
  [2, fc.record({ kind: fc.constant("clock" as const), time: hours(70) })],
  [2, fc.record({ kind: fc.constant("wait" as const), ms: hours(12) })],
  [2, fc.constant({ kind: "sweep" as const })],
  [1, fc.constant({ kind: "checkpoint" as const })],
  [3, fc.constant({ kind: "restart" as const })],
);

const start = creations.map((all): Step[] => [{ kind: "group", commands: all, foreign: [] }]);

/** The steps of one run. Most runs begin with the creation of secrets. */
export const steps = fc
  .tuple(
    weighted<readonly Step[]>([3, start], [1, fc.constant([])]),
    fc.array(step, { minLength: 1, maxLength: 14, size: "max" }),
  )
  .map((parts) => parts.flat());
