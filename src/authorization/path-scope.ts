import type { PathPattern } from "./pattern.ts";

// "0" is the character after "/": every path that begins with `a/` is less than `a0`.
const AFTER_SLASH = "0";

/** Less than every character of a path. */
const LEAST = "\0";

/**
 * The paths that a set of patterns covers, in string order. One walk of the tree finds whether a path is covered and
 * where the next covered path can be, so that a List skips the paths that its caller may not see.
 */
export class PathScope {
  readonly #root = new Branch();

  constructor(patterns: Iterable<PathPattern>) {
    for (const { text } of patterns) this.#root.add(text, 0);
    this.#root.sort();
  }

  /**
   * Returns a text that is not less than `text`, and not greater than the next covered path at or after `text`. If
   * `text` is a path, the result equals `text` if and only if the path is covered. Returns undefined if no path at or
   * after `text` is covered. Neither `text` nor the result has to be a path.
   */
  atOrAfter(text: string): string | undefined {
    return this.#root.atOrAfter(text);
  }

  /** Whether a path is covered. It creates no text, because watchers call it for each change. */
  covers(path: string): boolean {
    return this.#root.covers(path, 0);
  }
}

// Most branches are the ends of patterns and share these empty collections.
const NO_LITERALS: ReadonlyMap<string, Branch> = new Map();
const NO_STARTS: readonly string[] = [];

/** A node of the tree: the next segments of all patterns with the same preceding segments. */
class Branch {
  #literals = NO_LITERALS;
  /** The child for `*`. */
  #any: Branch | undefined;
  /** Whether a pattern continues with `**`, which covers any one or more segments. */
  #rest = false;
  /** A pattern ends here. */
  #isEnd = false;
  /**
   * Up to two texts for each literal, sorted: the literal itself if a pattern ends there, and the literal with a text
   * that is not greater than any text covered below it.
   */
  #starts = NO_STARTS;

  /** Adds the segments of a pattern from the character `at` on, where a segment begins. */
  add(pattern: string, at: number): void {
    const slash = pattern.indexOf("/", at);
    const segment = pattern.slice(at, slash === -1 ? undefined : slash);
    if (segment === "**") this.#rest = true;
    else if (slash === -1) this.#child(segment).#isEnd = true;
    else this.#child(segment).add(pattern, slash + 1);
  }

  /** Call it once, after all patterns have been added. */
  sort(): void {
    this.#any?.sort();
    if (this.#literals.size === 0) return;
    const starts: string[] = [];
    for (const [literal, branch] of this.#literals) {
      branch.sort();
      if (branch.#isEnd) starts.push(literal);
      if (branch.#least !== undefined) starts.push(`${literal}/${branch.#least}`);
    }
    this.#starts = starts.sort();
  }

  /** Whether the segments of a path from the character `at` on are covered. */
  covers(path: string, at: number): boolean {
    if (this.#rest) return true;
    const slash = path.indexOf("/", at);
    const isCovered = (branch: Branch | undefined) =>
      branch !== undefined && (slash === -1 ? branch.#isEnd : branch.covers(path, slash + 1));
    return isCovered(this.#literals.get(path.slice(at, slash === -1 ? undefined : slash))) || isCovered(this.#any);
  }

  /** See {@link PathScope.atOrAfter}. `text` is the rest of the text after the preceding segments. */
  atOrAfter(text: string): string | undefined {
    if (this.#rest) return text;
    const slash = text.indexOf("/");
    return slash === -1 ? this.#atOrAfterLast(text) : this.#atOrAfterInner(text, slash);
  }

  #atOrAfterLast(segment: string): string | undefined {
    const branches = this.#branchesFor(segment);
    if (branches.some((branch) => branch.#isEnd)) return segment;
    // A segment that begins with this one, such as `a-b` for `a`, comes before `a/`.
    return least([this.#any && segment + LEAST, this.#literalAfter(segment)]);
  }

  #atOrAfterInner(text: string, slash: number): string | undefined {
    const segment = text.slice(0, slash);
    const below = this.#branchesFor(segment).map((branch) => branch.atOrAfter(text.slice(slash + 1)));
    return least([
      ...below.map((rest) => (rest === undefined ? undefined : `${segment}/${rest}`)),
      this.#any && segment + AFTER_SLASH,
      this.#literalAfter(text),
    ]);
  }

  #branchesFor(segment: string): readonly Branch[] {
    return [this.#literals.get(segment), this.#any].filter((branch) => branch !== undefined);
  }

  /** A text that is not greater than any text covered below; undefined if none is covered. */
  get #least(): string | undefined {
    return this.#rest || this.#any !== undefined ? "" : this.#starts[0];
  }

  #child(segment: string): Branch {
    if (segment === "*") {
      this.#any ??= new Branch();
      return this.#any;
    }
    const known = this.#literals.get(segment);
    if (known !== undefined) return known;
    const child = new Branch();
    if (this.#literals === NO_LITERALS) this.#literals = new Map();
    (this.#literals as Map<string, Branch>).set(segment, child);
    return child;
  }

  /** The smallest start that is greater than `text`. */
  #literalAfter(text: string): string | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? "") <= text) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low];
  }
}

function least(texts: readonly (string | undefined)[]): string | undefined {
  return texts.reduce((least, text) => (text !== undefined && (least === undefined || text < least) ? text : least));
}
