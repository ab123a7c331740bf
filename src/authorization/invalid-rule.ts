/**
 * A part of a rule breaks its grammar. `message` quotes the part and says what is wrong with it and what is allowed;
 * it is meant for the operator who wrote the rule.
 */
export class InvalidRule extends Error {
  override readonly name = "InvalidRule";
}

const MAX_QUOTED = 100;

/** What an operator wrote, as a message shows it: in quotes, on one line, and cut when it is very long. */
export function quoted(text: string): string {
  return text.length <= MAX_QUOTED ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, MAX_QUOTED))}...`;
}
