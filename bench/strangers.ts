import { Crowd } from "./crowd.ts";

/**
 * What each connection of strangers does:
 * - silent: nothing.
 * - half-hello: sends half of a ClientHello.
 * - hello: sends a ClientHello and never answers what comes back.
 * - handshake: completes its handshake, with a certificate that nobody trusts, and is closed for it.
 */
export type Conduct = "silent" | "half-hello" | "hello" | "handshake";

/** What strangers are told. */
export interface Flood {
  readonly conduct: Conduct;
  /** On 127.0.0.1. */
  readonly port: number;
  /** The address that they come from, one of 127.0.0.0/8. */
  readonly from: string;
  /** How many connections they hold. One that the server closes is opened again at once. */
  readonly connections: number;
  /** In PEM. */
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** Connections so far. */
export interface StrangersCount {
  /** Those that TCP has opened. */
  readonly opened: number;
  /** Those that the server has closed. */
  readonly closed: number;
}

/** Strangers in a process of their own. */
export type Strangers = Crowd<StrangersCount>;

/** Starts strangers. */
export const Strangers = {
  /** Resolves when each of their connections was open once. Rejects when they may not have so many. */
  gather: (flood: Flood): Promise<Strangers> => Crowd.gather("./stranger.js", flood),
};
