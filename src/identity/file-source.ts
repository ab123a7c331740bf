import { readFileSync } from "node:fs";
import type { Clock } from "../domain/clock.ts";
import { PrivateFileError, readPrivateFile } from "../domain/private-file.ts";
import type { Timers } from "../domain/timers.ts";
import { Bundle } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
import { CurrentIdentity } from "./current-identity.ts";
import { collect, MaterialError } from "./material-error.ts";
import { ownValidity } from "./own-validity.ts";
import type { Identity, IdentitySnapshot, IdentitySource, IdentityState } from "./source.ts";
import { parseSvid, type Svid } from "./svid.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";
import { TrustDomain } from "./trust-domain.ts";

/** The files of one identity, all in PEM. */
export interface IdentityFiles {
  /** The X.509-SVID: the leaf, then the intermediates. */
  readonly cert: string;
  /** Its private key, in PKCS#8. Only its owner may be able to read it, see readPrivateFile. */
  readonly key: string;
  /** One file for each trust domain, by the bare name of the trust domain. */
  readonly bundles: ReadonlyMap<string, string>;
}

/** What a source of this kind needs. */
export interface FileSourceOptions {
  readonly files: IdentityFiles;
  /** What the SVID must be good for. */
  readonly purpose: Purpose;
  readonly timers: Timers;
}

/** An identity in files. */
export class FileSource implements IdentitySource {
  readonly #current: CurrentIdentity;

  private constructor(timers: Timers) {
    this.#current = new CurrentIdentity(timers, "the files of the identity have not been read yet");
  }

  /** Reads the files at once: when they are good, the source is ready when this returns. */
  static open({ files, purpose, timers }: FileSourceOptions): FileSource {
    const source = new FileSource(timers);
    const problems: string[] = [];
    const identity = collect(problems, () => readIdentity(files, purpose, timers.clock));
    if (identity === undefined) source.#current.fail(...problems);
    else source.#current.adopt(identity);
    return source;
  }

  get state(): IdentityState {
    return this.#current.state;
  }

  snapshot(): IdentitySnapshot {
    return this.#current.snapshot();
  }

  onChange(listener: (snapshot: IdentitySnapshot) => void): () => void {
    return this.#current.onChange(listener);
  }

  onState(listener: (state: IdentityState) => void): () => void {
    return this.#current.onState(listener);
  }

  close(): void {
    this.#current.close();
  }
}

/**
 * Reads all files and takes them only if they fit together: the key is that of the leaf, and the SVID would be accepted
 * for `purpose` by a peer that has the same bundles, now. Throws {@link MaterialError} with every problem that was found.
 */
function readIdentity(files: IdentityFiles, purpose: Purpose, clock: Clock): Identity {
  const problems: string[] = [];
  const svid = collect(problems, () => readSvid(files, purpose));
  const bundles = readBundles(files.bundles, problems);
  const validUntil = svid && collect(problems, () => checkOwnTrust(svid, files, bundles, clock(), purpose));
  if (svid === undefined || validUntil === undefined || problems.length > 0) throw new MaterialError(...problems);
  return { svid, validUntil, bundles };
}

function readSvid({ cert, key }: IdentityFiles, purpose: Purpose): Svid {
  const problems: string[] = [];
  const certBytes = collect(problems, () => readPublic(cert));
  const keyBytes = collect(problems, () => readPrivate(key));
  if (certBytes === undefined || keyBytes === undefined) throw new MaterialError(...problems);
  return parseSvid({ name: cert, bytes: certBytes }, { name: key, bytes: keyBytes }, purpose);
}

/** Those that can be read; the problems of the others are added to `problems`. */
function readBundles(files: ReadonlyMap<string, string>, problems: string[]): ReadonlyMap<string, Bundle> {
  const bundles = new Map<string, Bundle>();
  for (const [name, file] of files) {
    const bundle = collect(problems, () => Bundle.fromPem(parseName(name), readPublic(file), file));
    if (bundle !== undefined) bundles.set(name, bundle);
  }
  return bundles;
}

function parseName(name: string): TrustDomain {
  try {
    return TrustDomain.parse(name);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new MaterialError(`a bundle is given for ${JSON.stringify(name)}: the trust domain ${error.message}`);
  }
}

/**
 * A peer would find out what we can find out now: that our own SVID is expired, or not from our own trust domain. Gives
 * the end of its validity; undefined when its bundle can't be read, which is reported already.
 */
function checkOwnTrust(
  svid: Svid,
  files: IdentityFiles,
  bundles: ReadonlyMap<string, Bundle>,
  now: number,
  purpose: Purpose,
): number | undefined {
  const { trustDomain } = svid.id;
  const file = files.bundles.get(trustDomain.name);
  if (file === undefined) {
    throw new MaterialError(
      `${files.cert} is an X.509-SVID of ${trustDomain}, but there is no bundle for ${trustDomain}`,
    );
  }
  const bundle = bundles.get(trustDomain.name);
  return bundle && ownValidity(svid, bundle, now, purpose, `${files.cert}, verified with ${file}`);
}

function readPublic(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new MaterialError(`${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function readPrivate(file: string): Buffer {
  try {
    return readPrivateFile(file);
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    throw new MaterialError(error.message);
  }
}
