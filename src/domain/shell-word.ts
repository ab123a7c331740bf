/**
 * Quotes a text as one word of a POSIX shell command, for messages with commands that an operator can paste. Within
 * single quotes only the quote itself is special, so a file name can't inject a second command (POSIX.1-2017, XCU
 * 2.2.2).
 */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
