/** The development PKI could not be made. `code` is stable; `message` says what to do. */
export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly code: "FOREIGN_FOLDER";

  constructor(code: "FOREIGN_FOLDER", message: string) {
    super(message);
    this.code = code;
  }
}

/** The folder holds a file of a name that would be written, but not the key that every folder made here has. */
export function foreignFolder(dir: string, found: string, missing: string): PkiError {
  const message = `${dir} has a ${found} but no ${missing}, so it was not made by this command; name another folder, or empty it`;
  return new PkiError("FOREIGN_FOLDER", message);
}
