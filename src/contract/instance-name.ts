import { MAX_INSTANCE_BYTES } from "./limits.ts";

/** What the name of an instance in a Report consists of, for messages. It may be empty. */
export const INSTANCE_FORM = `at most ${MAX_INSTANCE_BYTES} of the characters A-Z a-z 0-9 . _ -`;

/** Whether each character may occur in the name of an instance. Independent of its length. */
export function hasInstanceCharacters(text: string): boolean {
  return /^[A-Za-z0-9._-]*$/.test(text);
}

/** Whether a text can be the name of an instance. */
export function isInstanceName(text: string): boolean {
  return text.length <= MAX_INSTANCE_BYTES && hasInstanceCharacters(text);
}
