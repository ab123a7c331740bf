import type { Bundle } from "./bundle.ts";

/** Two bundles, of two trust domains, that hold the same authority. */
export type Sharing = readonly [one: Bundle, other: Bundle];

/**
 * The pairs of bundles of two trust domains that hold the same authority, each with the first that holds it. No authority may be one of two
 * trust domains: it could give out the IDs of both. A bundle file into which spiffe-helper has written federated bundles is
 * found out by this when the authorities in it do not say whose they are.
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
