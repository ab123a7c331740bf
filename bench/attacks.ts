import type { Attack, Conduct } from "./attack.ts";

/** Its SVID is valid, and no rule of the policy names it. */
const NO_RULE = "/ns/shop/sa/web";

/** May read and write below `web/`. */
export const WEB_OWNER = "/ns/web/sa/deploy";

const HANDSHAKES = { caller: NO_RULE, atOnce: 300, gathers: false };
const CALLS = { caller: NO_RULE, perSecond: 10, atOnce: 32, gathers: false };

/** What is held is opened again at this rate when the server ends it. */
const HELD = { perSecond: 20, gathers: true };

/** The attacks of the section "callers", against a server that has room for so many connections. */
export function attacksOn(maxConnections: number): readonly Attack[] {
  return [
    { name: "no attack", conduct: "none", ...HANDSHAKES, perSecond: 1 },
    { name: "ffdhe8192 hellos, 6/s", conduct: "finite-field-hello", ...HANDSHAKES, perSecond: 6 },
    { name: "ffdhe8192 hellos, 60/s", conduct: "finite-field-hello", ...HANDSHAKES, perSecond: 60 },
    { name: "RSA exponents of 3,071 bits, 60/s", conduct: "costly-key", ...HANDSHAKES, perSecond: 60 },
    { name: "hang-ups, 20/s", conduct: "hang-up", ...HANDSHAKES, perSecond: 20 },
    { name: "Put, 4 kB of gzip, 10/s", conduct: "gzip-put", ...CALLS },
    { name: "Put, 4 MiB of entries, 10/s", conduct: "entries-put", ...CALLS },
    { name: "Delete, a million versions, 10/s", conduct: "versions-delete", ...CALLS },
    { name: "reflection, 4 MiB, 10/s", conduct: "reflection", ...CALLS },
    { name: "400 unfinished Puts of 4 MiB", conduct: "unfinished-put", caller: NO_RULE, ...HELD, atOnce: 400 },
    { name: "250 unread Gets of 1 MB", conduct: "unread-get", caller: WEB_OWNER, ...HELD, atOnce: 250 },
    { name: "every connection taken", conduct: "hoard", caller: NO_RULE, ...HELD, atOnce: maxConnections + 100 },
    { name: "half-sent Puts, 20/s", conduct: "half-sent-puts", ...HANDSHAKES, perSecond: 20 },
    { name: "broken frames, 20/s", conduct: "broken-frames", ...HANDSHAKES, perSecond: 20 },
  ];
}

/** What attackers can do. */
export const CONDUCTS: readonly Conduct[] = [...new Set(attacksOn(1).map(({ conduct }) => conduct))];
