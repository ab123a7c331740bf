/**
 * Contexts are what sealed bytes are bound to. Each begins with a tag of its own, so that bytes sealed for one purpose
 * never open for another, and every part but the last carries its length in UTF-8, so that no two lists of parts give
 * the same text.
 */

/** The place of a secret's content: a row that is moved to another path or version does not open there. */
export function versionContext(path: string, version: number): string {
  return context("content", String(version), path);
}

/** The owner and the question of a page token: another caller's, or another prefix's, does not open. */
export function pageTokenContext(caller: string, prefix: string): string {
  return context("page token", caller, prefix);
}

/** The number of a data key that the root key wraps. */
export function dataKeyContext(keyId: number): string {
  return context("data key", "", String(keyId));
}

function context(tag: string, first: string, last: string): string {
  return `coffer ${tag}\0${Buffer.byteLength(first)}\0${first}\0${last}`;
}
