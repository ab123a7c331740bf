/**
 * Values as a list of texts and a list of numbers. A structured clone copies them in a small part of the time that it
 * takes for objects: 32 answers take 4 microseconds instead of 36.
 */
export interface Columns {
  /**
   * They are separate strings and not one that the front splits: V8 makes the parts of a split string refer to the
   * whole one, so each path in a front's memory would retain all paths of its message.
   */
  readonly texts: readonly string[];
  readonly numbers: Float64Array;
}

/** Represents an undefined number, and is the index of an undefined text. */
const ABSENT = -1;

/** Writes columns. {@link ColumnReader} returns the values in the same order. */
export class ColumnWriter {
  readonly #texts: string[] = [];
  readonly #numbers: number[] = [];
  readonly #shared = new Map<string, number>();

  number(number: number): void {
    this.#numbers.push(number);
  }

  numbers(list: readonly number[]): void {
    this.#numbers.push(list.length);
    for (const number of list) this.#numbers.push(number);
  }

  /** Writes a number that is not negative, or undefined. */
  optional(number: number | undefined): void {
    this.#numbers.push(number ?? ABSENT);
  }

  /** Writes one of a few names. {@link ColumnReader.oneOf} needs the same list. */
  oneOf<Name extends string>(names: readonly Name[], name: Name): void {
    this.#numbers.push(names.indexOf(name));
  }

  /** Writes the number of elements of a list, and each element. */
  list<T>(list: readonly T[], element: (writer: this, one: T) => void): void {
    this.#numbers.push(list.length);
    for (const one of list) element(this, one);
  }

  text(text: string): void {
    this.#numbers.push(this.#texts.push(text) - 1);
  }

  optionalText(text: string | undefined): void {
    if (text === undefined) this.#numbers.push(ABSENT);
    else this.text(text);
  }

  /** Writes a text that probably occurs several times, and is sent once. */
  sharedText(text: string): void {
    const known = this.#shared.get(text);
    if (known === undefined) this.#shared.set(text, this.#texts.length);
    if (known === undefined) this.text(text);
    else this.#numbers.push(known);
  }

  /** Returns the columns. `new Float64Array` takes a third of the time of `Float64Array.from`. */
  end(): Columns {
    return { texts: this.#texts, numbers: new Float64Array(this.#numbers) };
  }
}

/** Reads columns. Throws a RangeError if they end too early. */
export class ColumnReader {
  readonly #texts: readonly string[];
  readonly #numbers: Float64Array;
  #at = 0;

  constructor({ texts, numbers }: Columns) {
    this.#texts = texts;
    this.#numbers = numbers;
  }

  /** Whether everything was read. */
  get isOver(): boolean {
    return this.#at === this.#numbers.length;
  }

  number(): number {
    const number = this.#numbers[this.#at++];
    if (number === undefined) throw new RangeError("the message has fewer numbers than its values need");
    return number;
  }

  numbers(): number[] {
    return this.list((reader) => reader.number());
  }

  optional(): number | undefined {
    const number = this.number();
    return number === ABSENT ? undefined : number;
  }

  oneOf<Name extends string>(names: readonly Name[]): Name {
    const number = this.number();
    const name = names[number];
    if (name === undefined) throw new RangeError(`the message has the unknown kind ${number}`);
    return name;
  }

  text(): string {
    return this.#text(this.number());
  }

  optionalText(): string | undefined {
    const index = this.number();
    return index === ABSENT ? undefined : this.#text(index);
  }

  /** Reads a number, and as many elements. */
  list<T>(element: (reader: this) => T): T[] {
    const list: T[] = [];
    for (let left = this.number(); left > 0; left--) list.push(element(this));
    return list;
  }

  #text(index: number): string {
    const text = this.#texts[index];
    if (text === undefined) throw new RangeError("the message has fewer texts than its values need");
    return text;
  }
}
