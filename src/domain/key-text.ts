/**
 * Whether a text that should be the path of a file is a certificate or a key itself: PEM, PEM in base64, or the text of
 * a root key. Users make this mistake because options of other programs and libraries take the text. An error such as
 * "... does not exist" names the path, and would write the key to the log.
 */
export function isKeyText(text: string): boolean {
  return KEY_TEXTS.some((form) => form.test(text));
}

const KEY_TEXTS = [
  /-----BEGIN /,
  // "-----BEGIN" in base64 (RFC 4648, section 4).
  /^\s*LS0tLS1CRUdJT/,
  // The forms of sealing/root-key.ts.
  /^[0-9A-Fa-f]{64}$/,
  /^[A-Za-z0-9+/]{43}=$/,
];
