import type { MapEntry } from "../contract/map-field.ts";
import { WireError } from "../contract/wire.ts";
import { Bundle } from "../spiffe/bundle.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import { collect, MaterialError } from "../spiffe/material-error.ts";
import { SpiffeId, trustDomainOf } from "../spiffe/spiffe-id.ts";
import { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
import { parseSvidDer, type Svid } from "../spiffe/svid.ts";
import type { TrustDomain } from "../spiffe/trust-domain.ts";
import { type X509SvidMessage, type X509SvidResponse, x509SvidResponse } from "./x509-messages.ts";

/** One identity that the Workload API offers. */
export interface OfferedSvid {
  readonly svid: Svid;
  /** The bundle of its own trust domain. */
  readonly bundle: Bundle;
  /** The operator's hint of its purpose; empty if there is none. */
  readonly hint: string;
  /** Its position in the message, for errors. */
  readonly where: string;
}

/** A bundle of another trust domain that can't be used. */
interface UnusableBundle {
  readonly trustDomain: TrustDomain;
  /** A sentence that begins with the field. */
  readonly problem: string;
}

/** The bundles of other trust domains in a message, by their bare names. No name is in both maps. */
interface FederatedContext {
  /** The bundles that can be used. An empty one trusts no workload. */
  readonly federated: ReadonlyMap<string, Bundle>;
  /** The bundles that can't be used. */
  readonly unusable: ReadonlyMap<string, UnusableBundle>;
  /** The problems of entries whose key does not name another trust domain. */
  readonly ignored: readonly string[];
}

/** A checked message of the Workload API: all identities and bundles of a workload. */
export interface X509Context extends FederatedContext {
  /** At least one. The first is the default. No hint occurs twice. */
  readonly svids: readonly OfferedSvid[];
}

/**
 * Reads an X509SVIDResponse (Workload API 5.2.1). If anything is missing or wrong in one SVID, refuses the whole
 * message (4.5). A problem with the bundle of another trust domain affects only that trust domain: otherwise its
 * operator could stop the renewal of this process's SVID. The choice of an identity then checks the validity times and
 * the certification path.
 * Throws {@link MaterialError} with every problem, each with its field.
 */
export function readX509Context(bytes: Uint8Array, purpose: Purpose): X509Context {
  const response = decode(bytes);
  if (response.svids.length === 0) throw new MaterialError("svids is empty: there is no identity for this process");
  const problems: string[] = [];
  const found = response.svids.map((svid, index) =>
    collect(problems, () => readSvid(svid, `svids[${index}]`, purpose)),
  );
  const svids = found.filter((svid) => svid !== undefined);
  if (problems.length > 0) throw new MaterialError(...problems);
  return { svids: svids.filter(isFirstOfItsHint), ...readFederated(response.federatedBundles, svids) };
}

function decode(bytes: Uint8Array): X509SvidResponse {
  try {
    return x509SvidResponse.decode(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new MaterialError(`the bytes are not an X509SVIDResponse: ${error.message}`);
  }
}

function readSvid(message: X509SvidMessage, where: string, purpose: Purpose): OfferedSvid {
  checkComplete(message, where);
  const problems: string[] = [];
  const id = collect(problems, () => readId(message.spiffeId, where));
  const cert = { name: `${where}.x509_svid`, bytes: message.x509Svid };
  const key = { name: `${where}.x509_svid_key`, bytes: message.x509SvidKey };
  const svid = collect(problems, () => parseSvidDer(cert, key, purpose));
  const bundle = id && collect(problems, () => Bundle.fromDer(id.trustDomain, message.bundle, `${where}.bundle`));
  if (svid === undefined || id === undefined || bundle === undefined) throw new MaterialError(...problems);
  if (!id.equals(svid.id)) {
    throw new MaterialError(`${where}.spiffe_id is ${id}, but ${cert.name} is a certificate of ${svid.id}`);
  }
  return { svid, bundle, hint: message.hint, where };
}

/** Workload API 4.5: a mandatory field with its default value counts as missing. */
function checkComplete({ spiffeId, x509Svid, x509SvidKey, bundle }: X509SvidMessage, where: string): void {
  const lengths = { spiffe_id: spiffeId, x509_svid: x509Svid, x509_svid_key: x509SvidKey, bundle };
  const missing = Object.entries(lengths).filter(([, { length }]) => length === 0);
  if (missing.length > 0) throw new MaterialError(...missing.map(([name]) => `${where}.${name} is empty`));
}

function readId(text: string, where: string): SpiffeId {
  try {
    return SpiffeId.parse(text);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new MaterialError(`${where}.spiffe_id ${error.message}`);
  }
}

/** Workload API 5.2.1: of several identities with the same hint, the first is used. */
function isFirstOfItsHint({ hint }: OfferedSvid, index: number, all: readonly OfferedSvid[]): boolean {
  return hint === "" || all.findIndex((other) => other.hint === hint) === index;
}

function readFederated(entries: readonly MapEntry[], svids: readonly OfferedSvid[]): FederatedContext {
  const federated = new Map<string, Bundle>();
  const unusable = new Map<string, UnusableBundle>();
  const ignored: string[] = [];
  for (const [index, { key, value }] of entries.entries()) {
    const trustDomain = collect(ignored, () => readForeign(key, svids, `federated_bundles, entry ${index + 1}`));
    if (trustDomain === undefined) continue;
    const { name } = trustDomain;
    const where = `federated_bundles[${name}]`;
    // If a key occurs twice, Protobuf implementations differ in which entry they use.
    const isDuplicate = federated.delete(name) || unusable.has(name);
    const problems = isDuplicate ? [`${where} occurs twice`] : [];
    const bundle = isDuplicate ? undefined : collect(problems, () => Bundle.fromDer(trustDomain, value, where));
    if (bundle !== undefined) federated.set(name, bundle);
    else unusable.set(name, { trustDomain, problem: problems.join("; ") });
  }
  return { federated, unusable, ignored };
}

function readForeign(key: string, svids: readonly OfferedSvid[], where: string): TrustDomain {
  const trustDomain = readKey(key, where);
  checkForeign(trustDomain, svids, `federated_bundles[${trustDomain}]`);
  return trustDomain;
}

/** The standard requires the SPIFFE ID of the trust domain as the key. Some implementations send the bare name. */
function readKey(key: string, where: string): TrustDomain {
  const trustDomain = parseTrustDomain(key, where);
  if (key === trustDomain.name || key === `spiffe://${trustDomain}`) return trustDomain;
  throw new MaterialError(`${where}: the key is the SPIFFE ID of a workload, not of a trust domain`);
}

function parseTrustDomain(key: string, where: string): TrustDomain {
  try {
    return trustDomainOf(key);
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    throw new MaterialError(`${where}: the key is not a trust domain: it ${error.message}`);
  }
}

/** Without this check, a federated bundle could replace the CAs of this process's own trust domain. */
function checkForeign(trustDomain: TrustDomain, svids: readonly OfferedSvid[], where: string): void {
  const own = svids.find(({ svid }) => svid.id.trustDomain.equals(trustDomain));
  if (own !== undefined)
    throw new MaterialError(`${where} belongs to the trust domain of ${own.where}, which has its own bundle`);
}
