import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Credential, DevelopmentCa } from "../../src/pki/development-ca.ts";
import { API } from "./server-kit.ts";

/** The identity files of a workload. */
export class IdentityFolder {
  readonly folder = mkdtempSync(join(tmpdir(), "coffer-identity-"));
  readonly #ca: DevelopmentCa;

  constructor(ca: DevelopmentCa) {
    this.#ca = ca;
    this.#write("bundle.pem", ca.bundlePem);
    this.rotate();
  }

  /** The variables that name the files. */
  get environment(): Record<string, string> {
    const [COFFER_CERT, COFFER_KEY, COFFER_BUNDLE] = ["svid.pem", "svid.key", "bundle.pem"].map((name) =>
      join(this.folder, name),
    ) as [string, string, string];
    return { COFFER_CERT, COFFER_KEY, COFFER_BUNDLE };
  }

  /** Writes a new SVID, and returns it. */
  rotate(): Credential {
    const credential = this.#ca.issue({ id: API });
    this.#write("svid.key", credential.keyPem);
    this.#write("svid.pem", credential.certPem);
    return credential;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #write(name: string, text: string): void {
    const file = join(this.folder, name);
    writeFileSync(`${file}~`, text, { mode: 0o600 });
    renameSync(`${file}~`, file);
  }
}
