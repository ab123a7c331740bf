import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { IdentityFiles } from "../../src/identity/identity-files.ts";

/** The content of the files of an identity. */
export interface FileContents {
  readonly cert: string;
  readonly key: string;
  /** By the name of the trust domain, without `spiffe://`. */
  readonly bundles: ReadonlyMap<string, string>;
}

/** The default file names of spiffe-helper. The names for bundles of other trust domains are chosen by the tests. */
function identityFilesIn(folder: string, trustDomains: Iterable<string>): IdentityFiles {
  const bundles = [...trustDomains].map((name) => [name, join(folder, `${name}.pem`)] as const);
  return { cert: join(folder, "svid.pem"), key: join(folder, "svid_key.pem"), bundles: new Map(bundles) };
}

/** Each file with its content and mode, in the order in which spiffe-helper writes: certificate, key, bundles. */
function plan(
  files: IdentityFiles,
  contents: FileContents,
): readonly (readonly [file: string, text: string, mode: number])[] {
  const bundles = [...contents.bundles].map(([name, text]) => [files.bundles.get(name)!, text, 0o644] as const);
  return [[files.cert, contents.cert, 0o644], [files.key, contents.key, 0o600], ...bundles];
}

/** Writes files as spiffe-helper does: truncates and writes one after the other, without renames. */
export class SpiffeHelper {
  readonly files: IdentityFiles;

  constructor(folder: string, trustDomains: Iterable<string>) {
    this.files = identityFilesIn(folder, trustDomains);
  }

  /** Writes all files. */
  write(contents: FileContents): void {
    Array.from(this.steps(contents));
  }

  /**
   * Writes all files, and pauses after each step: a file is empty, half written, complete. Yields a description of the
   * step.
   */
  *steps(contents: FileContents): Generator<string, void> {
    for (const [file, text, mode] of plan(this.files, contents)) yield* writeInSteps(file, text, mode);
  }
}

function* writeInSteps(file: string, text: string, mode: number): Generator<string, void> {
  const descriptor = openSync(file, "w", mode);
  const half = Math.floor(text.length / 2);
  try {
    yield `${basename(file)} is empty`;
    writeSync(descriptor, text.slice(0, half));
    yield `${basename(file)} is half written`;
    writeSync(descriptor, text.slice(half));
    yield `${basename(file)} is written`;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes files as Kubernetes does in a volume: each name is a link through `..data`, which is a link to a folder. A new
 * folder is written completely, and then `..data` is replaced by a rename.
 */
export class KubernetesVolume {
  readonly files: IdentityFiles;
  readonly #folder: string;
  #isLinked = false;

  constructor(folder: string, trustDomains: Iterable<string>) {
    this.#folder = folder;
    this.files = identityFilesIn(folder, trustDomains);
  }

  /** Replaces all files at once. */
  write(contents: FileContents): void {
    mkdirSync(this.#folder, { recursive: true });
    const data = join(this.#folder, "..data");
    const next = mkdtempSync(join(this.#folder, "..version_"));
    const written = plan(this.files, contents);
    for (const [file, text, mode] of written) writeFileSync(join(next, basename(file)), text, { mode });
    const last = this.#isLinked ? readlinkSync(data) : undefined;
    symlinkSync(basename(next), `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    if (last === undefined) this.#link(written.map(([file]) => file));
    else rmSync(join(this.#folder, last), { recursive: true });
  }

  #link(files: readonly string[]): void {
    for (const file of files) symlinkSync(join("..data", basename(file)), file);
    this.#isLinked = true;
  }
}
