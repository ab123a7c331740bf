import { processTimers } from "../../src/domain/timers.ts";
import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import type { Credential, DevelopmentCa } from "../../src/pki/development-ca.ts";
import { Bundle } from "../../src/spiffe/bundle.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { API } from "./server-kit.ts";

const DOMAIN = TrustDomain.parse("example.org");

/** An identity whose snapshot the test replaces. */
export class RotatingIdentity {
  readonly current = new CurrentIdentity(processTimers, "the agent has not answered yet");
  readonly #ca: DevelopmentCa;
  readonly #bundles: ReadonlyMap<string, Bundle>;

  constructor(ca: DevelopmentCa) {
    this.#ca = ca;
    this.#bundles = new Map([[DOMAIN.name, Bundle.fromPem(DOMAIN, Buffer.from(ca.bundlePem), "bundle")]]);
  }

  get source(): Pick<IdentitySource, "snapshot" | "onChange"> {
    return this.current;
  }

  /** Adopts a new SVID and returns it. */
  rotate(): Credential {
    const credential = this.#ca.issue({ id: API });
    const [cert, key] = [credential.certPem, credential.keyPem].map((pem) => ({ name: API, bytes: Buffer.from(pem) }));
    const svid = parseSvid(cert!, key!, "client");
    this.current.adopt({ svid, validUntil: svid.notAfter, bundles: this.#bundles });
    return credential;
  }
}
