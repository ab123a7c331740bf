import type { Timers } from "../domain/timers.ts";
import type { IdentityFiles } from "../identity/identity-files.ts";
import type { ReloadableSource } from "../identity/source.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Selection } from "./selection.ts";

/** The source of an identity, from options that were checked. */
export type SourceChoice =
  | { readonly kind: "files"; readonly files: IdentityFiles }
  | { readonly kind: "workload-api"; readonly endpoint: Endpoint; readonly selection: Selection };

/**
 * Opens the source, which begins to look for an identity. It may not be ready yet when this resolves: see whenReady.
 * Loads the modules of the chosen source only: a program that reads an SVID from files needs no client of the Workload
 * API.
 */
export async function openSource(choice: SourceChoice, purpose: Purpose, timers: Timers): Promise<ReloadableSource> {
  if (choice.kind === "files") {
    const { FileSource } = await import("../identity/file-source.ts");
    return FileSource.open({ files: choice.files, purpose, timers });
  }
  const { WorkloadApiSource } = await import("./workload-api-source.ts");
  const { endpoint, selection } = choice;
  return WorkloadApiSource.open({ endpoint, selection, purpose, timers });
}
