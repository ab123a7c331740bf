import type { Purpose } from "../spiffe/certificate-rules.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { ownValidity } from "../spiffe/own-validity.ts";
import type { Identity } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { OfferedSvid, X509Context } from "./x509-context.ts";

/**
 * Which identity to use if the Workload API offers several. The default is the first one (Workload API 5.2.1). After
 * that, the default is the identity in use, as long as it is offered: the order of later messages has no meaning, and
 * agents change it.
 */
export type Selection =
  | { readonly kind: "default" }
  | { readonly kind: "hint"; readonly hint: string }
  | { readonly kind: "id"; readonly id: SpiffeId };

/** The parameters of {@link chooseSvid}. */
export interface Choice {
  readonly selection: Selection;
  /** The SPIFFE ID in use; undefined if there was none yet. */
  readonly inUse: SpiffeId | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly purpose: Purpose;
}

/** The identity that was chosen, with the bundle of its own trust domain. */
export type ChosenSvid = Pick<OfferedSvid, "svid" | "bundle"> & Pick<Identity, "validUntil">;

/**
 * The identity that the selection requests. Verifies only this one, so it does not matter if another one has expired.
 * Throws {@link MaterialError} if it is not offered, or if peers would refuse it, and {@link UntimelySvid} if the
 * reason is only its validity period.
 */
export function chooseSvid(context: X509Context, { selection, inUse, now, purpose }: Choice): ChosenSvid {
  const selected = context.svids.filter((svid) => isSelected(svid, selection));
  const [offered] = [...selected.filter(({ svid }) => inUse?.equals(svid.id)), ...selected];
  if (offered === undefined) throw new MaterialError(describeMiss(context, selection));
  const { svid, bundle, where } = offered;
  return {
    svid,
    bundle,
    validUntil: ownValidity(svid, bundle, now, purpose, `${where}, verified with its own bundle`),
  };
}

function isSelected({ svid, hint }: OfferedSvid, selection: Selection): boolean {
  if (selection.kind === "hint") return hint === selection.hint;
  return selection.kind === "default" || svid.id.equals(selection.id);
}

function describeMiss({ svids }: X509Context, selection: Selection): string {
  const wanted = selection.kind === "hint" ? `the hint ${JSON.stringify(selection.hint)}` : `the requested SPIFFE ID`;
  const offers = svids.map(({ svid, hint }) =>
    hint === "" ? `${svid.id}` : `${svid.id} (hint ${JSON.stringify(hint)})`,
  );
  return `no X.509-SVID has ${wanted}; offered are ${offers.join(", ")}`;
}
