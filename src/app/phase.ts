import type { Check } from "../observability/server-status.ts";
import type { Journal } from "../store/journal.ts";

/** How far the server is. What it is starting with, or why it ends, is told to probes. */
export type Phase =
  | { readonly kind: "starting"; readonly why: "waiting for another server" | "loading" | "waiting for an identity" }
  | { readonly kind: "serving" }
  | { readonly kind: "stopping" }
  | { readonly kind: "failed"; readonly ended: Promise<void> }
  /** Stopped, or refused at the start: everything is let go of. */
  | { readonly kind: "ended" };

/**
 * What `/readyz` says of it: whether the store is open and in memory, whether its journal takes changes, and whether
 * calls are answered.
 */
export function checksOf(phase: Phase, journal: Journal | undefined): readonly Check[] {
  const why = phase.kind === "starting" ? phase.why : phase.kind;
  const isLoaded = phase.kind !== "starting" || phase.why === "waiting for an identity";
  return [
    checkOf("store", isLoaded ? undefined : why),
    ...(isLoaded && journal !== undefined ? [checkOf("journal", journal.obstacle())] : []),
    checkOf("serving", phase.kind === "serving" ? undefined : why),
  ];
}

function checkOf(name: string, obstacle: string | undefined): Check {
  return obstacle === undefined ? { name, state: "ok" } : { name, state: "not ready", why: obstacle };
}
