import type { Timers } from "../domain/timers.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import type { ReloadableSource } from "../identity/source.ts";
import type { IdentityChoice } from "../config/identity-choice.ts";

/**
 * Begins to look for the identity. Nothing may be ready yet: see whenReady. Loads the modules of the chosen source only:
 * a command that reads an SVID from files needs no client of the Workload API.
 */
export async function openIdentity(
  choice: IdentityChoice,
  purpose: Purpose,
  timers: Timers,
): Promise<ReloadableSource> {
  if (choice.kind === "files") {
    const { FileSource } = await import("../identity/file-source.ts");
    return FileSource.open({ files: choice.files, purpose, timers });
  }
  const { WorkloadApiSource } = await import("../workload-api/workload-api-source.ts");
  const { endpoint, selection } = choice;
  return WorkloadApiSource.open({ endpoint, selection, purpose, timers });
}
