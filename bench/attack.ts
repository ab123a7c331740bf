import type { Access } from "./access.ts";
import { ClientProcess } from "./client-process.ts";

/** What one action of an attack does. The attacks without a valid SVID come first. */
export type AttackKind =
  /** Does nothing: its ratio shows how much two equal measurements differ on this machine. */
  | "none"
  /** Sends a ClientHello that offers only the group ffdhe8192, and closes the connection at the first answer. */
  | "finite-field-hello"
  /**
   * Performs a handshake with an RSA-3072 leaf whose exponent has 3,071 bits. The client's signature in the handshake
   * is wrong.
   */
  | "costly-key"
  /**
   * Connects with an SVID and closes: in turn with FIN only, with RST, with close_notify and in the middle of HTTP/2.
   */
  | "hang-up"
  /** Puts two million map entries, compressed to 4 kB by gzip. */
  | "gzip-put"
  /** Puts two million map entries, 4 MiB, without compression. */
  | "entries-put"
  /** Deletes a million versions in one request. */
  | "versions-delete"
  /** Sends a server reflection request of 4 MiB with two million empty messages. */
  | "reflection"
  /** Sends all but the last byte of a Put of 4 MiB, 200 times on each connection. */
  | "unfinished-put"
  /** Gets a secret of 1 MB on a stream with a window of 0 bytes, 250 times on each connection. */
  | "unread-get"
  /** Opens a connection and keeps it idle. */
  | "hoard"
  /** Sends the first half of each of 20 Puts on a connection, and destroys the connection. */
  | "half-sent-puts"
  /** Sends in turn DATA on stream 0, a header block with an invalid index, and a frame above the agreed size. */
  | "broken-frames";

/** An attack: what its actions do, and how many start. */
export interface Attack {
  readonly name: string;
  readonly kind: AttackKind;
  /** The path of the SPIFFE ID that the attackers have. */
  readonly caller: string;
  /** Actions that start in a second, while fewer than `atOnce` are in progress. */
  readonly perSecond: number;
  /** The maximum number of concurrent actions. */
  readonly atOnce: number;
  /**
   * Whether the attack counts as started only once `atOnce` actions are in progress. Otherwise one action is enough.
   */
  readonly opensAllFirst: boolean;
}

/** An attack, and the server and identity that it uses. */
export interface AttackJob {
  readonly attack: Attack;
  readonly access: Access;
}

/** One action: calls `effective` once it costs the server something; resolves at its end, and rejects if it fails. */
export type Action = (effective: () => void) => Promise<void>;

/** The number of actions so far. */
export interface AttackCount {
  readonly started: number;
  /** Those that either side has ended. */
  readonly ended: number;
}

/** Attackers in a separate process. */
export type Attackers = ClientProcess<AttackCount>;

/** Starts attackers. */
export const Attackers = {
  /** Resolves when the attack has started. */
  start: (job: AttackJob): Promise<Attackers> => ClientProcess.start("./attackers-process.js", job),
};
