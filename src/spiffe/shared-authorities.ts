import type { Bundle } from "./bundle.ts";

/** Two bundles of two trust domains that contain the same CA. */
export type Sharing = readonly [one: Bundle, other: Bundle];

/**
 * The pairs of bundles of two trust domains that contain the same CA. Each such bundle is paired with the first bundle
 * that contains the CA. A CA must not belong to two trust domains, because it could issue SVIDs for both. This check
 * also detects a bundle file into which spiffe-helper has written federated bundles, if the CAs in it do not contain
 * the SPIFFE ID of their trust domain.
 */
export function sharedAuthorities(bundles: Iterable<Bundle>): readonly Sharing[] {
  const owners = new Map<string, Bundle>();
  const shared: Sharing[] = [];
  for (const bundle of bundles) {
    for (const { der } of bundle.authorities) {
      const authority = der.toString("base64");
      const owner = owners.get(authority);
      if (owner === undefined) owners.set(authority, bundle);
      else if (!owner.trustDomain.equals(bundle.trustDomain)) shared.push([owner, bundle]);
    }
  }
  return shared;
}
