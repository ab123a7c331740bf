import type { Check } from "../observability/server-status.ts";
import type { Progress } from "./startup.ts";

/** The phase of the server's lifecycle, which probes report. */
export type Phase =
  | { readonly kind: "starting" }
  | { readonly kind: "serving" }
  | { readonly kind: "stopping" }
  | { readonly kind: "failed"; readonly ended: Promise<void> }
  /** Stopped, or the start failed. Everything is closed. */
  | { readonly kind: "ended" };

/**
 * The checks of `/readyz`: whether there is an identity, whether the store is loaded, whether its journal accepts
 * changes, and whether calls are served.
 */
export function checksOf(phase: Phase, progress: Progress): readonly Check[] {
  const why = phase.kind === "starting" ? obstacleOf(progress) : phase.kind;
  const isLoaded = phase.kind !== "starting" || progress.kind === "loaded";
  const store = checkOf("store", isLoaded ? undefined : why);
  const serving = checkOf("serving", phase.kind === "serving" ? undefined : why);
  if (progress.kind === "opening") return [store, serving];
  const { watch, resources } = progress.opened;
  const journal = isLoaded ? [checkOf("journal", resources.storage.journal.obstacle())] : [];
  return [watch.check, store, ...journal, serving];
}

/** What the start still waits for at this progress. */
function obstacleOf(progress: Progress): string {
  if (progress.kind === "opening") return progress.why;
  return progress.kind === "loading" ? "loading" : "waiting for an identity";
}

function checkOf(name: string, obstacle: string | undefined): Check {
  return obstacle === undefined ? { name, state: "ok" } : { name, state: "not ready", why: obstacle };
}
