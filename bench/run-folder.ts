import { X509Certificate, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../src/domain/timers.ts";
import { TrustDomain } from "../src/spiffe/trust-domain.ts";
import { DevelopmentCa } from "../src/pki/development-ca.ts";
import { type MintReport, mintDevelopmentPki } from "../src/pki/development.ts";

/** The trust domain of all servers and clients in the benchmark. */
export const TRUST_DOMAIN = TrustDomain.parse("example.org");

/**
 * A folder in the repository and not in /tmp, which is in memory on many machines: the measured Puts must reach a disk.
 */
const PARENT = fileURLToPath(new URL("../../.coffer/bench", import.meta.url));

/** The files of a run: certificates, keys, a policy, logs and the servers' data. `remove` removes all of them. */
export class RunFolder {
  readonly path: string;
  readonly pki: MintReport;
  /** Files for Coffer's command line. */
  readonly rootKey: string;
  readonly policy: string;

  constructor() {
    mkdirSync(PARENT, { recursive: true });
    this.path = mkdtempSync(join(PARENT, "run-"));
    this.pki = mintDevelopmentPki({ dir: join(this.path, "pki"), trustDomain: TRUST_DOMAIN, clock: systemClock });
    this.rootKey = this.#write("root.key", `${randomBytes(32).toString("hex")}\n`);
    this.policy = this.#write("policy.yaml", policyFor(this.pki.api.id));
  }

  /** Issues an SVID, in PEM. `path` is the path of its SPIFFE ID. */
  issue(path: string): { readonly cert: string; readonly key: string } {
    const { certFile, keyFile, notAfter } = this.pki.ca;
    const [certPem, keyPem] = [readFileSync(certFile, "utf8"), readFileSync(keyFile, "utf8")];
    const certificate = new X509Certificate(certPem).raw;
    const ca = new DevelopmentCa({ certificate, certPem, keyPem, notAfter }, systemClock);
    const svid = ca.issue({ id: `spiffe://${TRUST_DOMAIN.name}${path}` });
    return { cert: svid.certPem, key: svid.keyPem };
  }

  /** The path of a file or folder in this folder. */
  at(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    // A server that was just killed may still create a file, so this retries.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }

  #write(name: string, text: string): string {
    writeFileSync(this.at(name), text, { mode: 0o600 });
    return this.at(name);
  }
}

const TEAMS = ["billing", "catalog", "mail", "reports", "search", "stock", "tickets", "web"];

/** As many rules as a small company has. The client's rule is the last, so that a linear search has its full cost. */
function policyFor(client: string): string {
  const rules = TEAMS.flatMap((team) => [
    rule(`${team}-reads`, `spiffe://${TRUST_DOMAIN.name}/ns/${team}/sa/*`, `${team}/**`, "read, list"),
    rule(`${team}-deploys`, `spiffe://${TRUST_DOMAIN.name}/ns/${team}/sa/deploy`, `${team}/**`, "write, delete"),
  ]);
  return ["rules:", ...rules, rule("bench", client, "bench/**", "read, write, delete, list, describe, watch"), ""].join(
    "\n",
  );
}

function rule(name: string, spiffeId: string, path: string, actions: string): string {
  return `  - {name: ${name}, spiffe_ids: ["${spiffeId}"], paths: ["${path}"], actions: [${actions}]}`;
}
