import type { Command } from "commander";
import { parseTrustDomain } from "../../config/value.ts";
import { systemClock } from "../../domain/timers.ts";
import type { TrustDomain } from "../../spiffe/trust-domain.ts";
import type { MintedCredential } from "../../pki/development.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { parsed } from "../parsed.ts";
import { table } from "../printable.ts";
import type { World } from "../../process/world.ts";

/** `coffer dev-pki`. */
export function addDevPki(program: Command, world: World): void {
  const command = program
    .command("dev-pki")
    .description(
      "Create a CA and SVIDs for development: bundle.pem, and NAME.pem with NAME.key for coffer, admin, api and web. " +
        "Existing files that are still valid are not replaced. Never use this CA in production: its key is in the same folder.",
    )
    .requiredOption("--dir <folder>", "the folder for the files")
    .requiredOption("--trust-domain <name>", "the trust domain, such as example.org", parsed(parseTrustDomain));
  addOutputOption(command).action(async (flags: { readonly dir: string; readonly trustDomain: TrustDomain }) => {
    const { mintDevelopmentPki } = await import("../../pki/development.ts");
    const minted = Object.values(mintDevelopmentPki({ ...flags, clock: systemClock }));
    const documents = minted.map(({ certFile, id, notAfter, because }) => {
      return { file: certFile, id: String(id), expireTime: notAfter, created: because !== undefined };
    });
    await printAnswer(command, world, documents, () => table([["FILE", "ID", "EXPIRES", ""], ...minted.map(row)]));
  });
}

function row({ certFile, id, notAfter, because }: MintedCredential): string[] {
  return [certFile, id, new Date(notAfter).toISOString(), because === undefined ? "unchanged" : "created"];
}
