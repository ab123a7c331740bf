import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { Rule } from "./policy.ts";

/**
 * Finds the rules of a caller in a tree of the segments of their SPIFFE ID patterns. A search compares only the patterns
 * whose first segments match those of the caller, so its time does not depend on the number of rules about other callers.
 */
export class RuleIndex {
  readonly #root = new Node();
  readonly #rules: readonly Rule[];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    for (const [number, { spiffeIds }] of rules.entries())
      for (const { text } of spiffeIds) this.#root.add(text.split("/"), 0, number);
  }

  /** The rules with a pattern that matches the caller, in the order of the policy. */
  select(caller: SpiffeId): readonly Rule[] {
    const found = new Set<number>();
    this.#root.collect(caller.toString().split("/"), 0, found);
    const numbers = [...found].sort((a, b) => a - b);
    return numbers.flatMap((number) => this.#rules[number] ?? []);
  }
}

/** The patterns with the same preceding segments. */
class Node {
  /** By the next segment; `*` stands for any one. */
  readonly #next = new Map<string, Node>();
  /** The rules of the patterns that end here, and of those that continue with `**`. */
  readonly #ending: number[] = [];
  readonly #continuing: number[] = [];

  /** Adds the segments of a pattern of a rule from `at` on. */
  add(segments: readonly string[], at: number, rule: number): void {
    const segment = segments[at];
    if (segment === undefined) this.#ending.push(rule);
    else if (segment === "**") this.#continuing.push(rule);
    else this.#child(segment).add(segments, at + 1, rule);
  }

  /** Adds the rules of the patterns that match the segments from `at` on. */
  collect(segments: readonly string[], at: number, found: Set<number>): void {
    const segment = segments[at];
    for (const rule of segment === undefined ? this.#ending : this.#continuing) found.add(rule);
    if (segment === undefined) return;
    this.#next.get(segment)?.collect(segments, at + 1, found);
    this.#next.get("*")?.collect(segments, at + 1, found);
  }

  #child(segment: string): Node {
    const known = this.#next.get(segment);
    if (known !== undefined) return known;
    const made = new Node();
    this.#next.set(segment, made);
    return made;
  }
}
