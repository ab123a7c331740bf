import type { Timers } from "../domain/timers.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import type { ReloadableSource } from "../identity/source.ts";
import type { IdentityChoice } from "../config/identity-choice.ts";

/**
 * Opens the chosen identity source. It may not have an identity yet: see whenReady. Only the module of the chosen source
 * is loaded: a command that reads an SVID from files does not load the Workload API client.
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
