/** The development PKI could not be created. `code` is stable; `message` says what to do. */
export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly code: "FOREIGN_FOLDER";

  constructor(code: "FOREIGN_FOLDER", message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The error for a folder that has a file that would be overwritten, but no CA key, which shows that this command did
 * not create the folder.
 */
export function foreignFolder(dir: string, found: string, missing: string): PkiError {
  const message = `${dir} contains ${found} but not ${missing}, so this command did not create it; use another folder, or empty it`;
  return new PkiError("FOREIGN_FOLDER", message);
}
