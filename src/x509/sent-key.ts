import { acceptedKind } from "./algorithms.ts";
import { MalformedDer, parseDer, TAG, type UnreadElement, unreadElements } from "./der.ts";

const VERSION = 0xa0;

/** The number of fields of the signed part that come before the key and after the version (RFC 5280 4.1). */
const FIELDS_BEFORE_KEY = 5;

/**
 * Whether the key of a certificate is of an accepted kind, by its encoding alone. Reads only the key and the elements that
 * contain it. Throws {@link MalformedDer} if these are not in DER, because OpenSSL could then read another key from the
 * same bytes.
 */
export function hasAcceptedKind(certificate: Uint8Array): boolean {
  const [whole, ...others] = unreadElements(certificate);
  const [signed] = fieldsOf(whole);
  const fields = fieldsOf(signed);
  const info = fields[FIELDS_BEFORE_KEY + (fields[0]?.tag === VERSION ? 1 : 0)];
  if (others.length > 0 || info === undefined) throw new MalformedDer("it does not have the fields of a certificate");
  return acceptedKind(parseDer(info.der)) !== undefined;
}

function fieldsOf(element: UnreadElement | undefined): UnreadElement[] {
  if (element?.tag !== TAG.sequence) throw new MalformedDer("it does not have the sequences of a certificate");
  return unreadElements(element.value);
}
