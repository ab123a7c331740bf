import type { Purpose } from "../identity/certificate-rules.ts";
import { MaterialError } from "../identity/material-error.ts";
import { ownValidity } from "../identity/own-validity.ts";
import type { Identity } from "../identity/source.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import type { OfferedSvid, X509Context } from "./x509-context.ts";

/** Which identity to take when the Workload API offers several. The default is the first (Workload API 5.2.1). */
export type Selection =
  | { readonly kind: "default" }
  | { readonly kind: "hint"; readonly hint: string }
  | { readonly kind: "id"; readonly id: SpiffeId };

/**
 * The identity that `selection` asks for, with its own bundle and the federated ones. Only this one is held against the
 * time `now`, in milliseconds since the epoch: that another of them has expired is no matter of ours. Throws
 * {@link MaterialError} when it is not offered, or when peers would refuse it.
 */
export function chooseIdentity(context: X509Context, selection: Selection, now: number, purpose: Purpose): Identity {
  const offered = context.svids.find((svid) => isSelected(svid, selection));
  if (offered === undefined) throw new MaterialError(describeMiss(context, selection));
  const { svid, bundle, where } = offered;
  const validUntil = ownValidity(svid, bundle, now, purpose, `${where}, verified with its own bundle`);
  return { svid, validUntil, bundles: new Map([[bundle.trustDomain.name, bundle], ...context.federated]) };
}

function isSelected({ svid, hint }: OfferedSvid, selection: Selection): boolean {
  if (selection.kind === "hint") return hint === selection.hint;
  return selection.kind === "default" || svid.id.equals(selection.id);
}

function describeMiss({ svids }: X509Context, selection: Selection): string {
  const wanted = selection.kind === "hint" ? `the hint ${JSON.stringify(selection.hint)}` : `the ID that was asked for`;
  const offers = svids.map(({ svid, hint }) =>
    hint === "" ? `${svid.id}` : `${svid.id} (hint ${JSON.stringify(hint)})`,
  );
  return `no X.509-SVID has ${wanted}; offered are ${offers.join(", ")}`;
}
