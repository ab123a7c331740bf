import type { ObservedFile } from "../files/observed-file.ts";
import { Bundle } from "../spiffe/bundle.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import type { ObservedFiles } from "./identity-files.ts";
import { collect, MaterialError } from "../spiffe/material-error.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import { parseSvid, type Svid } from "../spiffe/svid.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";

/** What a bundle file holds. */
type BundleReading =
  /** Without authorities when the file says so in so many words. */
  | { readonly kind: "bundle"; readonly bundle: Bundle }
  /** It does not exist, or is empty. `problem` is a whole sentence. */
  | { readonly kind: "absent"; readonly problem: string }
  /** It is there and can't be used. */
  | { readonly kind: "wrong"; readonly problem: string };

/** The bundle file of one trust domain, and what it holds. */
export interface BundleMaterial {
  readonly trustDomain: TrustDomain;
  readonly file: ObservedFile;
  readonly reading: BundleReading;
}

/** What a set of files holds, without regard to the time, and what is the matter with the rest. */
export interface FileMaterial {
  /** Undefined when `absent` or `wrong` says why. */
  readonly svid: Svid | undefined;
  readonly bundles: readonly BundleMaterial[];
  /** Of the certificate and the key: what is absent. */
  readonly absent: readonly string[];
  /** The same: what is there and can't be used; and bundles that are given for no trust domain. */
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
  const read = [...files.bundles].map(([name, file]) => collect(wrong, () => readBundle(parseName(name), file)));
  return { svid, bundles: read.filter((bundle) => bundle !== undefined), absent, wrong };
}

/** Undefined when one of the two can't be read, which is reported already. */
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

/** A bundle file, as sentences name it. */
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
