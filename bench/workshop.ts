import { X509Certificate, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/domain/timers.ts";
import { TrustDomain } from "../src/spiffe/trust-domain.ts";
import { Authority } from "../src/pki/development-ca.ts";
import { type MintReport, mintDevelopmentPki } from "../src/pki/development.ts";

/** The trust domain of everybody in the bench. */
export const TRUST_DOMAIN = TrustDomain.parse("example.org");

/** Below the repository and not in /tmp, which is memory on many machines: durable Puts need a disk. */
const PARENT = fileURLToPath(new URL("../../.coffer/bench", import.meta.url));

/** Where a run keeps its files: certificates, keys, a policy, logs and the servers' data. Gone when it is closed. */
export class Workshop {
  readonly folder: string;
  readonly pki: MintReport;
  /** Files for Coffer's command line. */
  readonly rootKey: string;
  readonly policy: string;

  constructor() {
    mkdirSync(PARENT, { recursive: true });
    this.folder = mkdtempSync(join(PARENT, "run-"));
    this.pki = mintDevelopmentPki({ dir: join(this.folder, "pki"), trustDomain: TRUST_DOMAIN, clock: systemClock });
    this.rootKey = this.#write("root.key", `${randomBytes(32).toString("hex")}\n`);
    this.policy = this.#write("policy.yaml", policyFor(this.pki.api.id));
  }

  /** An SVID, in PEM. `path` is that of its SPIFFE ID. */
  issue(path: string): { readonly cert: string; readonly key: string } {
    const { certFile, keyFile, notAfter } = this.pki.authority;
    const [certPem, keyPem] = [readFileSync(certFile, "utf8"), readFileSync(keyFile, "utf8")];
    const certificate = new X509Certificate(certPem).raw;
    const authority = new Authority({ certificate, certPem, keyPem, notAfter }, systemClock);
    const svid = authority.issue({ id: `spiffe://${TRUST_DOMAIN.name}${path}` });
    return { cert: svid.certPem, key: svid.keyPem };
  }

  /** A place in the folder. */
  at(name: string): string {
    return join(this.folder, name);
  }

  close(): void {
    // A server that was killed a moment ago may still make a file.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #write(name: string, text: string): string {
    writeFileSync(this.at(name), text, { mode: 0o600 });
    return this.at(name);
  }
}

const TEAMS = ["billing", "catalog", "mail", "reports", "search", "stock", "tickets", "web"];

/** As many rules as a small company has. The client's comes last, so that whoever looks through a list pays for it. */
function policyFor(client: string): string {
  const rules = TEAMS.flatMap((team) => [
    rule(`${team}-reads`, `spiffe://${TRUST_DOMAIN.name}/ns/${team}/sa/*`, `${team}/**`, "read, list"),
    rule(`${team}-deploys`, `spiffe://${TRUST_DOMAIN.name}/ns/${team}/sa/deploy`, `${team}/**`, "write, delete"),
  ]);
  return ["rules:", ...rules, rule("bench", client, "bench/**", "read, write, delete, list, describe"), ""].join("\n");
}

function rule(name: string, spiffeId: string, path: string, actions: string): string {
  return `  - {name: ${name}, spiffe_ids: ["${spiffeId}"], paths: ["${path}"], actions: [${actions}]}`;
}
