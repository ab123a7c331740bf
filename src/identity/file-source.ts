import { readFileSync } from "node:fs";
import type { Clock } from "../domain/clock.ts";
import { PrivateFileError, readPrivateFile } from "../domain/private-file.ts";
import { Bundle } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
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

/** An identity in files, read once. */
export class FileSource implements IdentitySource {
  readonly state: IdentityState;
  readonly #snapshot: IdentitySnapshot;

  private constructor(identity: Identity) {
    this.#snapshot = Object.freeze({ ...identity, generation: 1 });
    this.state = { kind: "ready", snapshot: this.#snapshot, problems: [] };
  }

  /**
   * Reads all files and takes them only if they fit together: the key is that of the leaf, and the SVID would be
   * accepted for `purpose` by a peer that has the same bundles, now. Throws {@link MaterialError} with every problem
   * that was found.
   */
  static open(files: IdentityFiles, purpose: Purpose, clock: Clock): FileSource {
    const problems: string[] = [];
    const svid = collect(problems, () => readSvid(files, purpose));
    const bundles = readBundles(files.bundles, problems);
    const validUntil = svid && collect(problems, () => checkOwnTrust(svid, files, bundles, clock(), purpose));
    if (svid === undefined || validUntil === undefined || problems.length > 0) throw new MaterialError(...problems);
    return new FileSource({ svid, validUntil, bundles });
  }

  snapshot(): IdentitySnapshot {
    return this.#snapshot;
  }

  /** Files are read once, so there never is a later snapshot. */
  onChange(): () => void {
    return () => {};
  }

  /** Nor another state. */
  onState(): () => void {
    return () => {};
  }

  close(): void {}
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
