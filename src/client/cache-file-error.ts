/** The sealed file of a cache can't be used or written. `message` names the file. */
export class CacheFileError extends Error {
  /** Always "CacheFileError". */
  override readonly name = "CacheFileError";
  /** The path of the file. */
  readonly file: string;

  /** @internal */
  constructor(file: string, problem: unknown) {
    super(`${file} ${describe(problem)}`, { cause: problem });
    this.file = file;
  }
}

function describe(problem: unknown): string {
  const { code, message } = problem as NodeJS.ErrnoException;
  return code === undefined ? message : `can't be used (${code})`;
}
