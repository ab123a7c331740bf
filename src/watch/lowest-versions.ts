/** Of any number of items that are added, those with the lowest versions, at most `most`. */
export class LowestVersions<Item> {
  readonly #most: number;
  readonly #byVersion = new Map<number, Item[]>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The number of items that were added. */
  get count(): number {
    return this.#count;
  }

  add(version: number, item: Item): void {
    this.#count += 1;
    const same = this.#byVersion.get(version);
    if (same === undefined) this.#byVersion.set(version, [item]);
    else if (same.length < this.#most) same.push(item);
  }

  /** The items in the order of their versions; those of one version in the order in which they were added. */
  sorted(): readonly Item[] {
    const versions = [...this.#byVersion.keys()].sort((a, b) => a - b);
    return versions.flatMap((version) => this.#byVersion.get(version) ?? []).slice(0, this.#most);
  }
}
