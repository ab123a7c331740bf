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

/** What is to be in the files of an identity. */
export interface FileContents {
  readonly cert: string;
  readonly key: string;
  /** By the bare name of the trust domain. */
  readonly bundles: ReadonlyMap<string, string>;
}

/** The names that spiffe-helper gives to its files by default; bundles of other domains are ours to name. */
function identityFilesIn(folder: string, trustDomains: Iterable<string>): IdentityFiles {
  const bundles = [...trustDomains].map((name) => [name, join(folder, `${name}.pem`)] as const);
  return { cert: join(folder, "svid.pem"), key: join(folder, "svid_key.pem"), bundles: new Map(bundles) };
}

/** Each file with what is to be in it and its mode, in the order in which spiffe-helper writes: cert, key, bundles. */
function plan(
  files: IdentityFiles,
  contents: FileContents,
): readonly (readonly [file: string, text: string, mode: number])[] {
  const bundles = [...contents.bundles].map(([name, text]) => [files.bundles.get(name)!, text, 0o644] as const);
  return [[files.cert, contents.cert, 0o644], [files.key, contents.key, 0o600], ...bundles];
}

/** Writes files as spiffe-helper does: each is truncated and written, one after the other, nothing is renamed. */
export class SpiffeHelper {
  readonly files: IdentityFiles;

  constructor(folder: string, trustDomains: Iterable<string>) {
    this.files = identityFilesIn(folder, trustDomains);
  }

  /** Writes everything. */
  write(contents: FileContents): void {
    Array.from(this.steps(contents));
  }

  /**
   * Writes everything, and stops after each step for as long as the caller likes: a file is empty, half written, whole.
   * Gives the step in words.
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
 * Writes files as Kubernetes does in a volume: each name is a link through `..data`, which is itself a link to a folder;
 * a new folder is written whole, and then `..data` is replaced by a rename.
 */
export class KubernetesVolume {
  readonly files: IdentityFiles;
  readonly #folder: string;
  #isLinked = false;

  constructor(folder: string, trustDomains: Iterable<string>) {
    this.#folder = folder;
    this.files = identityFilesIn(folder, trustDomains);
  }

  /** Swaps everything at once. */
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
