import fc from "fast-check";
import { type Node, placesOf, readNodes, writeNodes } from "./der-tree.ts";

/** A change at a position, given as a fraction of all positions. */
interface Mutation {
  readonly kind: keyof typeof IN_BYTES | keyof typeof IN_TREE;
  readonly at: number;
  readonly byte: number;
}

/** Changes of single bytes, after which most lengths are wrong. */
const IN_BYTES = {
  set: (before: Buffer, rest: Buffer, byte: number) => [before, Buffer.of(byte), rest.subarray(1)],
  flip: (before: Buffer, rest: Buffer, byte: number) => [
    before,
    Buffer.of(rest[0]! ^ (1 << (byte & 7))),
    rest.subarray(1),
  ],
  insert: (before: Buffer, rest: Buffer, byte: number) => [before, Buffer.of(byte), rest],
  remove: (before: Buffer, rest: Buffer) => [before, rest.subarray(1)],
  repeat: (before: Buffer, rest: Buffer, byte: number) => [before, rest.subarray(0, byte % 16), rest],
} as const;

const A = "a".charCodeAt(0);

/** Changes of elements, whose lengths are then corrected, so that the result gets further into the verifier. */
const IN_TREE = {
  drop: (list: Node[], index: number) => void list.splice(index, 1),
  double: (list: Node[], index: number) => void list.splice(index, 0, list[index]!),
  respell: (list: Node[], index: number, byte: number) => {
    const { tag, content } = list[index]!;
    if (!Buffer.isBuffer(content) || content.length === 0) return;
    const letters = Buffer.from(content);
    letters[byte % letters.length] = A + (byte % 26);
    list[index] = { tag, content: letters };
  },
  swap: (list: Node[], index: number, byte: number) => {
    const other = byte % list.length;
    [list[index], list[other]] = [list[other]!, list[index]!];
  },
  empty: (list: Node[], index: number) => void list.splice(index, 1, { ...list[index]!, content: Buffer.alloc(0) }),
  retag: (list: Node[], index: number, byte: number) => void list.splice(index, 1, { ...list[index]!, tag: byte }),
  lengthen: (list: Node[], index: number, byte: number) => {
    const { tag, content } = list[index]!;
    if (Buffer.isBuffer(content)) list[index] = { tag, content: Buffer.concat([content, Buffer.of(byte)]) };
  },
  shorten: (list: Node[], index: number, byte: number) => {
    const { tag, content } = list[index]!;
    if (Buffer.isBuffer(content)) list[index] = { tag, content: content.subarray(0, byte % (content.length + 1)) };
  },
} as const;

/** A position from `min` on. Half of all changes are made from 0.9 on: the names of a leaf are its last elements. */
function within(min: number): fc.Arbitrary<number> {
  return fc.double({ min, max: 1, noNaN: true, maxExcluded: true });
}

/** One to three changes. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...keys(IN_BYTES), ...keys(IN_TREE)),
    at: fc.oneof(within(0), within(0.9)),
    byte: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Applies these changes to `der`, one after the other. */
export function mutated(der: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce(mutate, der);
}

function mutate(der: Buffer, { kind, at, byte }: Mutation): Buffer {
  if (isInTree(kind)) return mutateTree(der, kind, at, byte);
  const index = Math.floor(at * der.length);
  return Buffer.concat(IN_BYTES[kind](der.subarray(0, index), der.subarray(index), byte));
}

/** Returns `der` as it is if an earlier change has made it empty or unreadable. */
function mutateTree(der: Buffer, kind: keyof typeof IN_TREE, at: number, byte: number): Buffer {
  const nodes = readNodes(der) ?? [];
  const places = placesOf(nodes);
  const place = places[Math.floor(at * places.length)];
  if (place === undefined) return der;
  IN_TREE[kind](place.list, place.index, byte);
  return writeNodes(nodes);
}

function isInTree(kind: Mutation["kind"]): kind is keyof typeof IN_TREE {
  return Object.hasOwn(IN_TREE, kind);
}

function keys<T extends object>(object: T): (keyof T)[] {
  return Object.keys(object) as (keyof T)[];
}
