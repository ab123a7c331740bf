/**
 * A part of a rule is not well-formed. `message` is for the operator: it quotes the part, and says what is wrong and
 * what is allowed.
 */
export class InvalidRule extends Error {
  override readonly name = "InvalidRule";
}

const MAX_QUOTED = 100;

/** Quotes a text of the operator for a message: on one line, and truncated if it is very long. */
export function quoted(text: string): string {
  return text.length <= MAX_QUOTED ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, MAX_QUOTED))}...`;
}
