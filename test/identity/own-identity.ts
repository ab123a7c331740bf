import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import type { IdentitySnapshot, IdentitySource } from "../../src/identity/source.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import type { ManualTimers } from "../support/manual-timers.ts";
import { example } from "../support/chain-world.ts";

const HOUR = 3_600_000;
const OURS = example.issue({ id: "spiffe://example.org/ours" });

/** The identity of the server or client under test, with the bundles of a row. */
export function ownIdentity(bundles: IdentitySnapshot["bundles"], timers: ManualTimers): IdentitySource {
  const [cert, key] = [OURS.certPem, OURS.keyPem].map((pem) => ({ name: "ours", bytes: Buffer.from(pem) }));
  const identity = new CurrentIdentity(timers, "nothing yet");
  identity.adopt({ svid: parseSvid(cert!, key!, "server"), validUntil: timers.clock() + HOUR, bundles });
  return identity;
}
