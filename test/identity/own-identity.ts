import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import type { IdentitySnapshot, IdentitySource } from "../../src/identity/source.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import type { ManualTimers } from "../support/manual-timers.ts";
import { example } from "../support/chain-world.ts";

const HOUR = 3_600_000;
const OWN = example.issue({ id: "spiffe://example.org/own" });

/** The identity of the server or client under test. `bundles` are those that verify its peers. */
export function ownIdentity(bundles: IdentitySnapshot["bundles"], timers: ManualTimers): IdentitySource {
  const [cert, key] = [OWN.certPem, OWN.keyPem].map((pem) => ({ name: "own", bytes: Buffer.from(pem) }));
  const identity = new CurrentIdentity(timers, "nothing yet");
  identity.adopt({ svid: parseSvid(cert!, key!, "server"), validUntil: timers.clock() + HOUR, bundles });
  return identity;
}
