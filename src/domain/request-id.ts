import { invalidField } from "./errors.ts";

// RFC 9562, section 4. Any version and variant: the server uses it only for comparisons.
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Checks a request_id, and returns it in lower case; undefined if it is empty. Throws INVALID_FIELD. */
export function parseRequestId(text: string): string | undefined {
  if (text === "") return undefined;
  if (UUID.test(text)) return text.toLowerCase();
  throw invalidField("request_id", "is not a UUID, such as 6e35d3a3-f5d4-4fa1-9c3e-27fdfa0d6a0c");
}
