/**
 * A text as one word of a command that somebody pastes into a POSIX shell. Within single quotes only the quote itself
 * has a meaning, so that no name of a file becomes a second command (POSIX.1-2017, XCU 2.2.2).
 */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
