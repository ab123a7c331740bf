import type { ObservedFile } from "../domain/observed-file.ts";
import { Bundle, FEDERATED_ADVICE } from "./bundle.ts";
import type { Purpose } from "./certificate-rules.ts";
import type { ObservedFiles } from "./identity-files.ts";
import { collect, MaterialError } from "./material-error.ts";
import { chainValidity, ownValidity } from "./own-validity.ts";
import type { Identity } from "./source.ts";
import { SpiffeIdError } from "./spiffe-id-error.ts";
import { parseSvid, type Svid } from "./svid.ts";
import { TrustDomain } from "./trust-domain.ts";

/** An SVID, and bundles by the bare name of their trust domain, from one set of files. */
export type Material = Omit<Identity, "validUntil">;

/** What a set of files holds, without regard to the time, and what is the matter with the rest. */
export interface FileMaterial {
  /** Undefined when `absent` or `wrong` says why. */
  readonly svid: Svid | undefined;
  /** All that are not wrong. That of a file that is absent is empty, as is one that lists no authority. */
  readonly bundles: ReadonlyMap<string, Bundle>;
  /** Of the certificate and the key: what is absent. */
  readonly absent: readonly string[];
  /** What is there and can't be used. */
  readonly wrong: readonly string[];
}

/** Reads what the files held when they were last looked at. */
export function readMaterial(files: ObservedFiles, purpose: Purpose): FileMaterial {
  const { cert, key } = files;
  const wrong = [cert, key].flatMap(({ reading }) => (reading.kind === "unusable" ? [reading.problem] : []));
  const absent = [cert, key].flatMap(({ path, reading }) =>
    reading.kind === "absent" ? [`${path} ${reading.problem}`] : [],
  );
  const svid = collect(wrong, () => readSvid(files, purpose));
  const bundles = readBundles(files.bundles, wrong);
  collect(wrong, () => checkDisjoint(bundles, files.bundles));
  return { svid, bundles, absent, wrong };
}

/** Undefined when one of the two can't be read, which is reported already. */
function readSvid({ cert, key }: ObservedFiles, purpose: Purpose): Svid | undefined {
  if (cert.reading.kind !== "bytes" || key.reading.kind !== "bytes") return undefined;
  const [certBytes, keyBytes] = [cert.reading.bytes, key.reading.bytes];
  return parseSvid({ name: cert.path, bytes: certBytes }, { name: key.path, bytes: keyBytes }, purpose);
}

/** Those that can be used; the problems of the others are added to `problems`. */
function readBundles(files: ReadonlyMap<string, ObservedFile>, problems: string[]): ReadonlyMap<string, Bundle> {
  const bundles = new Map<string, Bundle>();
  for (const [name, file] of files) {
    const bundle = collect(problems, () => readBundle(parseName(name), file));
    if (bundle !== undefined) bundles.set(name, bundle);
  }
  return bundles;
}

function readBundle(trustDomain: TrustDomain, { path, reading }: ObservedFile): Bundle {
  if (reading.kind === "unusable") throw new MaterialError(reading.problem);
  if (reading.kind === "absent") return new Bundle(trustDomain, []);
  return Bundle.fromFile(trustDomain, reading.bytes, path);
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
 * No authority may be one of two trust domains: it could give out the IDs of both. A bundle file into which spiffe-helper
 * has written federated bundles is found out by this when the authorities in it do not say whose they are. The Workload
 * API keeps bundles apart, so there two domains may share an authority.
 */
function checkDisjoint(bundles: ReadonlyMap<string, Bundle>, files: ReadonlyMap<string, ObservedFile>): void {
  const owners = new Map<string, string>();
  for (const [name, { authorities }] of bundles) {
    for (const { der } of authorities) {
      const owner = owners.get(der.toString("base64"));
      if (owner !== undefined) throw new MaterialError(describeShared([owner, name], files));
      owners.set(der.toString("base64"), name);
    }
  }
}

function describeShared(names: readonly string[], files: ReadonlyMap<string, ObservedFile>): string {
  const [one, two] = names.map((name) => `${files.get(name)?.path}, the bundle of ${name}`);
  return `${one}, and ${two}, hold the same authority, which could then speak for both; ${FEDERATED_ADVICE}`;
}

/**
 * The identity in a set of files that fit together: the SVID is accepted for `purpose` by a peer that has the same
 * bundles, at the time `now`, in milliseconds since the epoch. When the SVID's own bundle is empty there is nothing to
 * hold it against, and only its times are looked at. Throws {@link MaterialError}.
 */
export function toIdentity(material: Material, files: ObservedFiles, now: number, purpose: Purpose): Identity {
  const { svid, bundles } = material;
  const { trustDomain } = svid.id;
  const cert = files.cert.path;
  const bundle = bundles.get(trustDomain.name);
  if (bundle === undefined) {
    throw new MaterialError(`${cert} is an X.509-SVID of ${trustDomain}, but there is no bundle for ${trustDomain}`);
  }
  const where = `${cert}, verified with ${files.bundles.get(trustDomain.name)?.path}`;
  const isEmpty = bundle.authorities.length === 0;
  const validUntil = isEmpty ? chainValidity(svid, now, cert) : ownValidity(svid, bundle, now, purpose, where);
  return { svid, validUntil, bundles };
}
