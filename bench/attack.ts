import type { Access } from "./access.ts";
import { Crowd } from "./crowd.ts";

/** What one act of an attack does. Those without an SVID come first. */
export type Conduct =
  /** Nothing: shows which ratio the machine alone makes of two equal measurements. */
  | "none"
  /** Sends a ClientHello that offers only the group ffdhe8192, and closes the connection at the first answer. */
  | "finite-field-hello"
  /** Shakes hands with an RSA-3072 leaf whose exponent has 3,071 bits. Its signature is wrong, which costs the same. */
  | "costly-key"
  /** Connects with an SVID and closes in turn by FIN alone, by RST, by close_notify and in the middle of HTTP/2. */
  | "hang-up"
  /** Puts 4 kB of gzip that are two million map entries. */
  | "gzip-put"
  /** Puts 4 MiB that are two million map entries, without compression. */
  | "entries-put"
  /** Deletes a million versions in one request. */
  | "versions-delete"
  /** Sends server reflection 4 MiB of two million empty messages. */
  | "reflection"
  /** Sends all but the last byte of a Put of 4 MiB, 200 of them on a connection. */
  | "unfinished-put"
  /** Gets a secret of 1 MB and never opens the window of its stream, 250 of them on a connection. */
  | "unread-get"
  /** Opens a connection and keeps it idle. */
  | "hoard"
  /** Sends half of 20 Puts on a connection and destroys it. */
  | "half-sent-puts"
  /** Sends in turn DATA on stream 0, a header block with an invalid index, and a frame above the agreed size. */
  | "broken-frames";

/** How an attack goes on for as long as it lasts. */
export interface Attack {
  readonly name: string;
  readonly conduct: Conduct;
  /** The path of the SPIFFE ID that the attackers have. */
  readonly caller: string;
  /** Acts that begin in a second, while fewer than `atOnce` are under way. */
  readonly perSecond: number;
  /** The most acts that are under way at a time. */
  readonly atOnce: number;
  /** Whether `atOnce` acts are under way before the attack counts as begun, as quickly as they can be; else one. */
  readonly gathers: boolean;
}

/** An attack, and who carries it out against which server. */
export interface Orders {
  readonly attack: Attack;
  readonly access: Access;
}

/** One act: calls `effective` once it weighs on the server; resolves when it is over, and rejects when it fails. */
export type Act = (effective: () => void) => Promise<void>;

/** Acts so far. */
export interface AttackCount {
  readonly begun: number;
  /** Those that are over, by either side. */
  readonly ended: number;
}

/** Attackers in a process of their own. */
export type Attackers = Crowd<AttackCount>;

/** Starts attackers. */
export const Attackers = {
  /** Resolves when the attack has begun. */
  gather: (orders: Orders): Promise<Attackers> => Crowd.gather("./attacker.js", orders),
};
