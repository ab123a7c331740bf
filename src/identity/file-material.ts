import type { ObservedFile } from "../files/observed-file.ts";
import { Bundle } from "../spiffe/bundle.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import type { ObservedFiles } from "./identity-files.ts";
import { collect, MaterialError } from "../spiffe/material-error.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import { parseSvid, type Svid } from "../spiffe/svid.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";

/** The contents of a bundle file. */
type BundleReading =
  /** The bundle is empty only if the file is a SPIFFE bundle in JSON with an empty list of keys. */
  | { readonly kind: "bundle"; readonly bundle: Bundle }
  /** It does not exist, or is empty. `problem` is a whole sentence. */
  | { readonly kind: "absent"; readonly problem: string }
  /** The file exists and can't be used. */
  | { readonly kind: "wrong"; readonly problem: string };

/** The bundle file of one trust domain, and its contents. */
export interface BundleMaterial {
  readonly trustDomain: TrustDomain;
  readonly file: ObservedFile;
  readonly reading: BundleReading;
}

/** The contents of the files of an identity, without any check of validity periods, and their problems. */
export interface FileMaterial {
  /** Undefined if `absent` or `wrong` has the reason. */
  readonly svid: Svid | undefined;
  readonly bundles: readonly BundleMaterial[];
  /** A sentence for the certificate file if it is absent, and one for the key file if it is absent. */
  readonly absent: readonly string[];
  /**
   * A sentence for each of these two files that can't be used, and for each bundle with an invalid trust domain name.
   */
  readonly wrong: readonly string[];
}

/** Parses the contents that the files had at their last observation. */
export function readMaterial(files: ObservedFiles, purpose: Purpose): FileMaterial {
  const { cert, key } = files;
  const wrong = [cert, key].flatMap(({ reading }) => (reading.kind === "unusable" ? [reading.problem] : []));
  const absent = [cert, key].flatMap(({ path, reading }) =>
    reading.kind === "absent" ? [`${path} ${reading.problem}`] : [],
  );
  const svid = collect(wrong, () => readSvid(files, purpose));
  const read = [...files.bundles].map(([name, file]) => collect(wrong, () => readBundle(parseName(name), file)));
  return { svid, bundles: read.filter((bundle) => bundle !== undefined), absent, wrong };
}

/** Undefined if one of the two files can't be read, which is reported already. */
function readSvid({ cert, key }: ObservedFiles, purpose: Purpose): Svid | undefined {
  if (cert.reading.kind !== "bytes" || key.reading.kind !== "bytes") return undefined;
  const [certBytes, keyBytes] = [cert.reading.bytes, key.reading.bytes];
  return parseSvid({ name: cert.path, bytes: certBytes }, { name: key.path, bytes: keyBytes }, purpose);
}

function readBundle(trustDomain: TrustDomain, file: ObservedFile): BundleMaterial {
  return { trustDomain, file, reading: readingOf(trustDomain, file) };
}

function readingOf(trustDomain: TrustDomain, { path, reading }: ObservedFile): BundleReading {
  if (reading.kind === "unusable") return { kind: "wrong", problem: reading.problem };
  if (reading.kind === "absent") {
    return { kind: "absent", problem: `${describeBundle(path, trustDomain)}, ${reading.problem}` };
  }
  const problems: string[] = [];
  const bundle = collect(problems, () => Bundle.fromFile(trustDomain, reading.bytes, path));
  return bundle === undefined ? { kind: "wrong", problem: problems.join("; ") } : { kind: "bundle", bundle };
}

/** Names a bundle file in a sentence. */
export function describeBundle(path: string, trustDomain: TrustDomain): string {
  return `${path}, the bundle of ${trustDomain}`;
}

function parseName(name: string): TrustDomain {
  try {
    return TrustDomain.parse(name);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new MaterialError(`a bundle is given for ${JSON.stringify(name)}: the trust domain ${error.message}`);
  }
}
