import { type ParsedNode, isMap, isSeq } from "yaml";
import type { SecretDocument } from "../files/secret-document.ts";

/** Returns the value of a text. Throws an Error whose message says what is expected. */
export type ParseText<T> = (text: string) => T;

/** The fields of one mapping of the configuration. Every problem is recorded in the document, at its position. */
export class ConfigFields {
  readonly #document: SecretDocument;
  readonly #node: ParsedNode;
  readonly #values: ReadonlyMap<string, ParsedNode>;
  readonly #what: string;

  /**
   * Reads a mapping; undefined if the node is not a mapping. `what` names it in messages, such as "a target". Keys that
   * are not `known` are problems.
   */
  static read(
    document: SecretDocument,
    node: ParsedNode,
    what: string,
    known: readonly string[],
  ): ConfigFields | undefined {
    if (isMap(node)) return new ConfigFields(document, node, what, known);
    return document.reject(node, `${what} must be a mapping of keys to values`);
  }

  private constructor(document: SecretDocument, node: ParsedNode, what: string, known: readonly string[]) {
    this.#document = document;
    this.#node = node;
    this.#what = what;
    const values = new Map<string, ParsedNode>();
    for (const { key, at, value } of document.fields(node, what)) {
      if (!known.includes(key)) document.reject(at, `${what} has no key ${shownKey(key)}; it has ${known.join(", ")}`);
      else if (value === null) document.reject(at, `${key} has no value`);
      else values.set(key, value);
    }
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** The value of a key; undefined if there is none or it is invalid. */
  optional<T>(key: string, parse: ParseText<T>): T | undefined {
    const node = this.#values.get(key);
    return node === undefined ? undefined : this.#parsed(key, node, parse);
  }

  /** Like {@link optional}, but a missing key is a problem. */
  required<T>(key: string, parse: ParseText<T>): T | undefined {
    if (!this.has(key)) return this.#missing(key);
    return this.optional(key, parse);
  }

  /** The items of a list, each as a text. A missing key or an empty list is a problem. */
  texts(key: string): readonly string[] {
    return this.items(key).flatMap((node) => this.#document.text(node, `an item of ${key}`) ?? []);
  }

  /** The items of a list. A missing key or an empty list is a problem. */
  items(key: string): readonly ParsedNode[] {
    const node = this.#values.get(key);
    if (node === undefined) return this.#missing(key) ?? [];
    const items = this.#document.items(node, key);
    if (isSeq(node) && items.length === 0) this.reject(`${key} must have at least one item`, key);
    return items;
  }

  /** The keys of a mapping with the parsed value of each. A missing key or an empty mapping is a problem. */
  mapping<T>(key: string, parse: ParseText<T>): ReadonlyMap<string, T> {
    const node = this.#values.get(key);
    if (node === undefined) return new Map(this.#missing(key) ?? []);
    const entries = this.#document.fields(node, key).flatMap(({ key: name, at, value }): [string, T][] => {
      if (value === null) return this.#document.reject(at, `${key} has a name without a value`) ?? [];
      const parsed = this.#parsed(key, value, parse);
      return parsed === undefined ? [] : [[name, parsed]];
    });
    return new Map(entries);
  }

  /** The fields of a mapping; undefined if there is no such key. */
  fields(key: string, known: readonly string[]): ConfigFields | undefined {
    const node = this.#values.get(key);
    return node === undefined ? undefined : ConfigFields.read(this.#document, node, key, known);
  }

  /** The one key of `keys` that the mapping has. Anything but exactly one is a problem. */
  oneOf<Key extends string>(keys: readonly Key[]): Key | undefined {
    const [one, second] = keys.filter((key) => this.has(key));
    if (one === undefined) return this.reject(`${this.#what} needs one of the keys ${keys.join(", ")}`);
    if (second === undefined) return one;
    return this.reject(`${one} and ${second} can't be combined; use one of them`, second);
  }

  /** Records a problem for each of `keys` that the mapping has. `reason` completes the message, after the key. */
  refuse(keys: readonly string[], reason: string): void {
    for (const key of keys) if (this.has(key)) this.reject(`${key} ${reason}`, key);
  }

  /** Records a problem at the value of a key, or at the mapping. */
  reject(message: string, key?: string): undefined {
    this.#document.reject((key === undefined ? undefined : this.#values.get(key)) ?? this.#node, message);
  }

  #missing(key: string): undefined {
    this.reject(`${this.#what} has no ${key}`);
  }

  #parsed<T>(key: string, node: ParsedNode, parse: ParseText<T>): T | undefined {
    const text = this.#document.text(node, key);
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      return this.#document.reject(node, `${key}: ${(error as Error).message}`);
    }
  }
}

/** A key that can't be a mistyped name is not shown: a secret may have been pasted into the file. */
function shownKey(key: string): string {
  return /^[a-z_]{1,40}$/.test(key) ? key : "of this name";
}
