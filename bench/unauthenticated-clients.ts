import { systemClock } from "../src/domain/timers.ts";
import { createDevelopmentCa } from "../src/pki/development-ca.ts";
import { ClientProcess } from "./client-process.ts";
import type { Target } from "./job.ts";
import { TRUST_DOMAIN } from "./run-folder.ts";

/**
 * What each connection of an unauthenticated client does:
 * - silent: sends nothing.
 * - half-hello: sends half of a ClientHello.
 * - hello: sends a ClientHello and does not answer the server's flight.
 * - handshake: completes the handshake with a certificate of an unknown CA, so the server closes the connection.
 */
export type FloodKind = "silent" | "half-hello" | "hello" | "handshake";

/** The job of a process of unauthenticated clients. */
export interface Flood {
  readonly kind: FloodKind;
  /** On 127.0.0.1. */
  readonly port: number;
  /** The source address of the connections, in 127.0.0.0/8. */
  readonly from: string;
  /** The number of connections. One that the server closes is reopened immediately. */
  readonly connections: number;
  /** In PEM. */
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** The number of connections so far. */
export interface ConnectionCount {
  /** Connections that TCP has established. */
  readonly opened: number;
  /** Connections that the server has closed. */
  readonly closed: number;
}

/** Unauthenticated clients in a separate process. */
export type UnauthenticatedClients = ClientProcess<ConnectionCount>;

/** Starts unauthenticated clients. */
export const UnauthenticatedClients = {
  /** Resolves when each connection has been open once. Rejects if `ulimit -n` is too low. */
  start: (flood: Flood): Promise<UnauthenticatedClients> =>
    ClientProcess.start("./unauthenticated-clients-process.js", flood),
};

/** Another address than that of the legitimate clients, 127.0.0.1. */
export const OTHER_ADDRESS = "127.0.0.2";

/** The connections of clients that open handshakes continuously. */
const HANDSHAKING = 32;

/** Clients with a certificate of an unknown CA. */
export function floodOf({ port }: Target, kind: FloodKind, from: string): Omit<Flood, "connections"> {
  const unknownCa = createDevelopmentCa(TRUST_DOMAIN, systemClock).issue({
    id: `spiffe://${TRUST_DOMAIN.name}/unauthenticated`,
  });
  return { kind, port, from, certificate: { cert: unknownCa.certPem, key: unknownCa.keyPem } };
}

/** Clients at another address that open handshakes continuously. */
export function continuousHandshakes(target: Target): Flood {
  return { ...floodOf(target, "handshake", OTHER_ADDRESS), connections: HANDSHAKING };
}
