import type { Attack, AttackKind } from "./attack.ts";

/** The path of a valid SVID that no rule of the policy names. */
const NO_RULE = "/ns/shop/sa/web";

/** The path of an SVID that may read and write below `web/`. */
export const WEB_OWNER = "/ns/web/sa/deploy";

const HANDSHAKES = { caller: NO_RULE, atOnce: 300, opensAllFirst: false };
const CALLS = { caller: NO_RULE, perSecond: 10, atOnce: 32, opensAllFirst: false };

/**
 * The rate of attacks that hold connections or calls. When the server ends one of these, the attackers open a new one at
 * this rate.
 */
const HELD = { perSecond: 20, opensAllFirst: true };

/** The attacks of the section "callers" on a server that allows this number of connections. */
export function attacksOn(maxConnections: number): readonly Attack[] {
  return [
    { name: "no attack", kind: "none", ...HANDSHAKES, perSecond: 1 },
    { name: "ffdhe8192 hellos, 6/s", kind: "finite-field-hello", ...HANDSHAKES, perSecond: 6 },
    { name: "ffdhe8192 hellos, 60/s", kind: "finite-field-hello", ...HANDSHAKES, perSecond: 60 },
    { name: "RSA exponents of 3,071 bits, 60/s", kind: "costly-key", ...HANDSHAKES, perSecond: 60 },
    { name: "hang-ups, 20/s", kind: "hang-up", ...HANDSHAKES, perSecond: 20 },
    { name: "Put, 4 kB of gzip, 10/s", kind: "gzip-put", ...CALLS },
    { name: "Put, 4 MiB of entries, 10/s", kind: "entries-put", ...CALLS },
    { name: "Delete, a million versions, 10/s", kind: "versions-delete", ...CALLS },
    { name: "reflection, 4 MiB, 10/s", kind: "reflection", ...CALLS },
    { name: "400 unfinished Puts of 4 MiB", kind: "unfinished-put", caller: NO_RULE, ...HELD, atOnce: 400 },
    { name: "250 unread Gets of 1 MB", kind: "unread-get", caller: WEB_OWNER, ...HELD, atOnce: 250 },
    { name: "every connection taken", kind: "hoard", caller: NO_RULE, ...HELD, atOnce: maxConnections + 100 },
    { name: "half-sent Puts, 20/s", kind: "half-sent-puts", ...HANDSHAKES, perSecond: 20 },
    { name: "broken frames, 20/s", kind: "broken-frames", ...HANDSHAKES, perSecond: 20 },
  ];
}

/** All kinds of attacks. */
export const ATTACK_KINDS: readonly AttackKind[] = [...new Set(attacksOn(1).map(({ kind }) => kind))];
