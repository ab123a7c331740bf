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
  /** Of its own trust domain. */
  readonly bundle: Bundle;
  /** What the operator says that it is for; empty when nothing is said. */
  readonly hint: string;
  /** Its place in the message, for errors. */
  readonly where: string;
}

/** What is wrong with the bundle of another trust domain. */
interface UnusableBundle {
  readonly trustDomain: TrustDomain;
  /** A sentence that begins with the field. */
  readonly problem: string;
}

/** The bundles of other trust domains in a message, by their bare names. No name is in two of the lists. */
interface FederatedContext {
  /** Those that can be used. One may be empty, which trusts no workload. */
  readonly federated: ReadonlyMap<string, Bundle>;
  /** The others. */
  readonly unusable: ReadonlyMap<string, UnusableBundle>;
  /** What is wrong with entries that stand for no other trust domain. */
  readonly ignored: readonly string[];
}

/** A message of the Workload API, checked: all that a workload may have. */
export interface X509Context extends FederatedContext {
  /** At least one; the first is the default. No hint occurs twice. */
  readonly svids: readonly OfferedSvid[];
}

/**
 * Reads an X509SVIDResponse (Workload API 5.2.1). A message with an SVID in which anything is missing or wrong is refused
 * whole (4.5). What is wrong with the bundle of another trust domain concerns that one alone: its operator could else
 * stop our renewal. Times and signature paths are looked at when an identity is chosen. Throws {@link MaterialError} with
 * every problem that was found; each says in which field.
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

/** Workload API 4.5: a mandatory field that has its default value was not set. */
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

/** Workload API 5.2.1: of several identities with the same hint the first counts. */
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
    // Readers of protobuf differ in which of two entries counts.
    const isTwice = federated.delete(name) || unusable.has(name);
    const problems = isTwice ? [`${where} occurs twice`] : [];
    const bundle = isTwice ? undefined : collect(problems, () => Bundle.fromDer(trustDomain, value, where));
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

/** The standard wants the SPIFFE ID of the trust domain; bare names are sent too. */
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

/** Else a federation, of all things, could replace the authorities of our own trust domain. */
function checkForeign(trustDomain: TrustDomain, svids: readonly OfferedSvid[], where: string): void {
  const own = svids.find(({ svid }) => svid.id.trustDomain.equals(trustDomain));
  if (own !== undefined)
    throw new MaterialError(`${where} is of the trust domain of ${own.where}, which has its own bundle`);
}
