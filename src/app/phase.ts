import type { Check } from "../observability/ops-server.ts";

/** How far the server is. What it is starting with, or why it ends, is told to probes. */
export type Phase =
  | { readonly kind: "starting"; readonly why: "waiting for another server" | "loading" | "waiting for an identity" }
  | { readonly kind: "serving" }
  | { readonly kind: "stopping" }
  | { readonly kind: "failed"; readonly ended: Promise<void> }
  /** Stopped, or refused at the start: everything is let go of. */
  | { readonly kind: "ended" };

/** What `/readyz` says of it: whether the store is open and in memory, and whether calls are answered. */
export function checksOf(phase: Phase): readonly Check[] {
  const why = phase.kind === "starting" ? phase.why : phase.kind;
  const isLoaded = phase.kind !== "starting" || phase.why === "waiting for an identity";
  const store: Check = isLoaded ? { name: "store", state: "ok" } : { name: "store", state: "not ready", why };
  const serving: Check =
    phase.kind === "serving" ? { name: "serving", state: "ok" } : { name: "serving", state: "not ready", why };
  return [store, serving];
}
