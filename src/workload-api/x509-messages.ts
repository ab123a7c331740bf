import { type MapEntry, map } from "../contract/map-field.ts";
import { bytes, type Codec, message, repeated, string } from "../contract/message.ts";

/**
 * The messages of FetchX509SVID, from workload.proto in the SPIFFE standards (SPIFFE_Workload_API 5.2.1). The service
 * has no package. Every message is the whole state: what it does not hold is not valid any more.
 */
export const FETCH_X509_SVID = "/SpiffeWorkloadAPI/FetchX509SVID";

/** One identity, as it is sent. Everything but the hint is mandatory. */
export interface X509SvidMessage {
  readonly spiffeId: string;
  /** Certificates in DER, one behind the other, leaf first. */
  readonly x509Svid: Uint8Array;
  /** PKCS#8 in DER, unencrypted. A secret. */
  readonly x509SvidKey: Uint8Array;
  /** The authorities of its own trust domain, in DER, one behind the other. */
  readonly bundle: Uint8Array;
  /** What the operator says that it is for; often empty. */
  readonly hint: string;
}

/** All that the workload may have. The list of CRLs, field 2, is left out: nobody has ever sent one. */
export interface X509SvidResponse {
  /** The first is the default identity. */
  readonly svids: readonly X509SvidMessage[];
  /** By trust domain: authorities in DER, one behind the other. */
  readonly federatedBundles: readonly MapEntry[];
}

const x509Svid = message<X509SvidMessage>({
  spiffeId: string(1, "spiffe_id"),
  x509Svid: bytes(2, "x509_svid"),
  x509SvidKey: bytes(3, "x509_svid_key"),
  bundle: bytes(4, "bundle"),
  hint: string(5, "hint"),
});

export const x509SvidResponse: Codec<X509SvidResponse> = message<X509SvidResponse>({
  svids: repeated(1, "svids", x509Svid),
  federatedBundles: map(3, "federated_bundles", "binary"),
});
