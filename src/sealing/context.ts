/**
 * Sealed bytes are bound to a context. Each kind of context begins with its own tag, so that bytes that were sealed for
 * one purpose never open for another. The length of the first part in bytes of UTF-8 precedes it, so that two different
 * pairs of parts never have the same text.
 */

/** The context of a secret's content. A row that was moved to another path or version does not open there. */
export function versionContext(path: string, version: number): string {
  return context("content", String(version), path);
}

/** The context of a page token. A token does not open for another caller or another query. */
export function pageTokenContext(caller: string, query: string): string {
  return context("page token", caller, query);
}

/** The context of a data key that the root key wraps. */
export function dataKeyContext(keyId: number): string {
  return context("data key", "", String(keyId));
}

function context(tag: string, first: string, last: string): string {
  return `coffer ${tag}\0${Buffer.byteLength(first)}\0${first}\0${last}`;
}
