import { constants } from "node:crypto";
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { type AddressInfo, type Socket, connect } from "node:net";
import { type Server, type TLSSocket, type TlsOptions, createServer } from "node:tls";
import { formatAddress } from "../domain/address.ts";
import type { Clock } from "../domain/clock.ts";
import type { IdentitySnapshot, IdentitySource } from "../identity/source.ts";
import { sentChain } from "../identity/sent-chain.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import { type RefusalReason, SvidRefused } from "../identity/svid-refused.ts";
import { type VerifiedSvid, verifySvid } from "../identity/verify.ts";
import type { Connection, Connections } from "./connection.ts";
import type { ListenAddress } from "./listen-address.ts";

/** Why a connection was refused: the verifier's reasons, and those of the handshake itself. */
export type ConnectionRefusal =
  | RefusalReason
  /** TLS itself failed: another protocol, an older version, no common algorithm. */
  | "handshake-failed"
  /** Gone before the handshake was complete, as port scans and TCP probes do. Counted, not logged. */
  | "handshake-abandoned"
  /** The client did not offer h2 by ALPN (RFC 7301), so it does not speak gRPC. */
  | "no-h2"
  /** The client resumed a TLS session. No ticket is ever given out, so this can't be honest. */
  | "session-resumed"
  /** The system could not hand over a connection that had come, or has no more descriptors for it. */
  | "not-accepted"
  /** We could not tell, which is a fault of ours; who can't be verified is not served. */
  | "internal";

/** A connection that was closed before HTTP/2 began. */
export interface Refused {
  readonly reason: ConnectionRefusal;
  readonly connection: number;
  readonly remote: string;
  readonly detail: string;
  /** Who the peer says it is; only when it parses. */
  readonly claimed: SpiffeId | undefined;
}

/** What a listener needs. */
export interface ListenerParts {
  readonly identity: IdentitySource;
  readonly connections: Connections;
  readonly clock: Clock;
  /** Takes a connection whose peer is verified; nothing of HTTP/2 has been read from it. */
  readonly onConnection: (connection: Connection) => void;
  readonly onRefused: (refused: Refused) => void;
}

/** An address that can't be listened on; the message says what to do. */
export class ListenRefused extends Error {
  override readonly name = "ListenRefused";
}

// A peer that is silent this long, in milliseconds, is not shaking hands; Node's own limit is two minutes.
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Listens at one address, shakes hands, and verifies each peer once, before a byte of HTTP/2 is read. This is the whole
 * way from a stranger to a {@link Connection}.
 */
export class TlsListener {
  readonly #server: Server;
  readonly #parts: ListenerParts;
  readonly #stopRotation: () => void;
  /** Where it listens; with the real port, if 0 was asked for. */
  readonly address: ListenAddress;

  private constructor(server: Server, parts: ListenerParts, address: ListenAddress) {
    this.#server = server;
    this.#parts = parts;
    this.address = address;
    this.#stopRotation = parts.identity.onChange((snapshot) => server.setSecureContext(tlsOptions(snapshot)));
    server.on("secureConnection", (socket) => this.#onHandshake(socket));
    server.on("tlsClientError", (error, socket) => this.#onHandshakeFailure(error, socket));
    server.on("error", (error) => this.#onAcceptFailure(error));
  }

  /** Begins to listen. Rejects with {@link ListenRefused}. */
  static async listen(address: ListenAddress, parts: ListenerParts): Promise<TlsListener> {
    if (address.kind === "unix") await removeDeadSocket(address.path);
    const server = createServer(tlsOptions(parts.identity.snapshot()));
    await bind(server, address);
    if (address.kind === "unix") chmodSync(address.path, address.mode);
    return new TlsListener(server, parts, withRealPort(address, server));
  }

  /** Accepts no more connections; those that are open stay. */
  close(): void {
    this.#stopRotation();
    this.#server.close();
  }

  #onHandshake(socket: TLSSocket): void {
    // A peer that vanishes emits an error, which would end the process if nobody listened for it.
    socket.on("error", () => {});
    const { connections, onConnection } = this.#parts;
    const connection = connections.nextNumber();
    const verdict = this.#judge(socket);
    if (verdict.kind === "verified") onConnection(connections.admit(socket, connection, verdict.svid));
    else this.#refuse(socket, connection, verdict);
  }

  #judge(socket: TLSSocket): Verdict {
    if (socket.isSessionReused()) return refusal("session-resumed", "no ticket was given out");
    if (socket.alpnProtocol !== "h2") return refusal("no-h2", "the client does not offer h2");
    try {
      const { bundles } = this.#parts.identity.snapshot();
      return { kind: "verified", svid: verifySvid(sentChain(socket), bundles, this.#parts.clock(), "client") };
    } catch (error) {
      // Thrown from here, a stray error would end the process, and a stranger may know how to cause it.
      if (!(error instanceof SvidRefused)) return refusal("internal", String(error));
      return refusal(error.reason, error.detail, error.claimed);
    }
  }

  #onHandshakeFailure(error: Error, socket: Socket): void {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const abandoned = code === "ECONNRESET" || code === "EPIPE" || code === "ERR_TLS_HANDSHAKE_TIMEOUT";
    const reason = abandoned ? "handshake-abandoned" : "handshake-failed";
    this.#refuse(socket, this.#parts.connections.nextNumber(), refusal(reason, code || "TLS failed"));
  }

  /** accept(2) reports what became of a single connection, too. Without a listener it would end all the others. */
  #onAcceptFailure(error: NodeJS.ErrnoException): void {
    const connection = this.#parts.connections.nextNumber();
    this.#parts.onRefused({ ...refusal("not-accepted", error.code ?? "it failed"), connection, remote: "" });
  }

  #refuse(socket: Socket, connection: number, { reason, detail, claimed }: Refusal): void {
    const remote = socket.remoteAddress ?? "";
    socket.destroy();
    this.#parts.onRefused({ reason, connection, remote, detail, claimed });
  }
}

interface Refusal {
  readonly kind: "refused";
  readonly reason: ConnectionRefusal;
  readonly detail: string;
  readonly claimed: SpiffeId | undefined;
}

type Verdict = { readonly kind: "verified"; readonly svid: VerifiedSvid } | Refusal;

function refusal(reason: ConnectionRefusal, detail: string, claimed?: SpiffeId): Refusal {
  return { kind: "refused", reason, detail, claimed };
}

/**
 * The whole set, every time: setSecureContext resets what it is not given, and a rotation that named only the new
 * certificate would quietly let TLS 1.2 in.
 */
function tlsOptions({ svid }: IdentitySnapshot): TlsOptions {
  return {
    cert: svid.certPem,
    key: svid.keyPem,
    // No names of authorities are shown to the client, and OpenSSL trusts nobody: the verifier decides.
    ca: [],
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
    // A resumed session carries the identity of an earlier handshake, without its certificate being looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    ALPNProtocols: ["h2"],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

function bind(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) =>
      reject(new ListenRefused(`can't listen on ${formatAddress(address)}: ${bindProblem(error)}`));
    server.once("error", refuse);
    const options = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    server.listen(options, () => {
      server.off("error", refuse);
      resolve();
    });
  });
}

function bindProblem(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "something listens there already";
  if (error.code === "EACCES") return "this user may not";
  return error.code ?? "it failed";
}

function withRealPort(address: ListenAddress, server: Server): ListenAddress {
  return address.kind === "unix" ? address : { ...address, port: (server.address() as AddressInfo).port };
}

/** A server that was killed leaves its socket file behind. A file on which somebody answers is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket()) throw new ListenRefused(`can't listen on unix:${path}: the file there is not a socket`);
  if (await answers(path)) throw new ListenRefused(`can't listen on unix:${path}: a server listens there already`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => resolve(true));
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
    probe.once("connect", () => probe.destroy());
  });
}
