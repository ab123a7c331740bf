import { type MapEntry, map } from "../contract/map-field.ts";
import { bytes, type Codec, message, string } from "../contract/message.ts";
import { repeated } from "../contract/repeated-fields.ts";

/**
 * The path of FetchX509SVID, from workload.proto in the SPIFFE standards (SPIFFE_Workload_API 5.2.1). The service has
 * no package. Every message is the complete state: anything that it does not contain is no longer valid.
 */
export const FETCH_X509_SVID = "/SpiffeWorkloadAPI/FetchX509SVID";

/** One identity in a message. Every field except the hint is mandatory. */
export interface X509SvidMessage {
  readonly spiffeId: string;
  /** Concatenated certificates in DER, leaf first. */
  readonly x509Svid: Uint8Array;
  /** PKCS#8 in DER, unencrypted. A secret. */
  readonly x509SvidKey: Uint8Array;
  /** The CA certificates of its own trust domain, concatenated in DER. */
  readonly bundle: Uint8Array;
  /** The operator's hint of its purpose; often empty. */
  readonly hint: string;
}

/** The complete state of a workload. The list of CRLs, field 2, is omitted: no known implementation sends one. */
export interface X509SvidResponse {
  /** The first is the default identity. */
  readonly svids: readonly X509SvidMessage[];
  /** By trust domain: CA certificates, concatenated in DER. */
  readonly federatedBundles: readonly MapEntry[];
}

const x509Svid = message<X509SvidMessage>({
  spiffeId: string(1, "spiffe_id"),
  x509Svid: bytes(2, "x509_svid"),
  x509SvidKey: bytes(3, "x509_svid_key"),
  bundle: bytes(4, "bundle"),
  hint: string(5, "hint"),
});

/** The encoding of X509SVIDResponse. */
export const x509SvidResponse: Codec<X509SvidResponse> = message<X509SvidResponse>({
  svids: repeated(1, "svids", x509Svid),
  federatedBundles: map(3, "federated_bundles", "binary"),
});
