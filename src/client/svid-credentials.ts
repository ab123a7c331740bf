import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials, type experimental } from "@grpc/grpc-js";
import type { Clock } from "../domain/timers.ts";
import type { Identity } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { SvidRefused } from "../spiffe/svid-refused.ts";
import type { VerifiedSvid } from "../spiffe/verify.ts";
import { type ConnectionFailure, handshakeProblem } from "./connection-failure.ts";
import { anchorsOf } from "../spiffe/anchors.ts";
import type { PeerVerifier } from "../spiffe/peer-verifier.ts";
import { shownBy } from "../spiffe/sent-chain.ts";
import { TLS_ALGORITHMS } from "../spiffe/tls-algorithms.ts";

/** The identity of the client, and the server that it calls. */
export interface Introduction {
  /** The identity of every connection: credentials never change it. */
  readonly identity: Pick<Identity, "svid" | "bundles">;
  /**
   * The server's SPIFFE ID, compared exactly: requests contain secrets, and any workload could answer at the address.
   */
  readonly serverId: SpiffeId;
  readonly clock: Clock;
  /** Verifies servers. It follows the bundles of the newest identity. */
  readonly verifier: PeerVerifier;
}

/** The state of the latest connection. */
export type Handshake =
  /** No connection was established. */
  | { readonly kind: "none" }
  | { readonly kind: "failed"; readonly failure: ConnectionFailure }
  | { readonly kind: "accepted"; readonly server: VerifiedSvid; readonly socket: TLSSocket };

/**
 * Channel credentials for mTLS between X.509-SVIDs. The public types of grpc-js allow such a subclass. The credentials
 * of grpc-js verify the server in checkServerIdentity, which gets neither the chain as it was sent nor the time, and
 * which is not called if OpenSSL refuses the chain. This class uses {@link PeerVerifier}, like the server does, after
 * the handshake and before HTTP/2 begins: a server that is refused receives no byte of HTTP/2.
 */
export class SvidCredentials extends ChannelCredentials {
  readonly #introduction: Introduction;
  readonly #context: SecureContext;
  readonly #pending = new Set<Socket>();
  #handshake: Handshake = { kind: "none" };

  constructor(introduction: Introduction) {
    super();
    this.#introduction = introduction;
    const { svid, bundles } = introduction.identity;
    this.#context = createSecureContext({
      ...TLS_ALGORITHMS,
      ...anchorsOf(bundles),
      cert: svid.certPem,
      key: svid.keyPem,
    });
  }

  get handshake(): Handshake {
    return this.#handshake;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      waitForReady: () => Promise.resolve(),
      connect: async (socket) => ({ socket: await this.#connect(socket), secure: true }),
      getCallCredentials: () => callCredentials,
      destroy: () => {
        for (const socket of this.#pending) socket.destroy();
      },
    };
  }

  async #connect(socket: Socket): Promise<TLSSocket> {
    const secured = await this.#handshakeWith(socket);
    try {
      this.#handshake = { kind: "accepted", server: this.#verify(secured), socket: secured };
    } catch (error) {
      secured.destroy();
      throw this.#fail(error as Error, this.#refusal(error));
    }
    return secured;
  }

  #verify(secured: TLSSocket): VerifiedSvid {
    const { verifier, clock, serverId } = this.#introduction;
    const server = verifier.verify(shownBy(secured), clock());
    if (!server.id.equals(serverId)) throw new WrongServer(server.id);
    return server;
  }

  async #handshakeWith(socket: Socket): Promise<TLSSocket> {
    try {
      this.#pending.add(socket);
      return await performHandshake(socket, this.#context);
    } catch (error) {
      throw this.#fail(error as Error, { kind: "handshake-failed", problem: handshakeProblem(error as Error) });
    } finally {
      this.#pending.delete(socket);
    }
  }

  #refusal(error: unknown): ConnectionFailure {
    if (error instanceof SvidRefused) return { kind: "untrusted-server", refusal: error };
    if (!(error instanceof WrongServer)) throw error;
    return { kind: "wrong-server", expected: this.#introduction.serverId, got: error.got };
  }

  /** Records a failed attempt, unless an earlier connection is still in use. */
  #fail(error: Error, failure: ConnectionFailure): Error {
    const inUse = this.#handshake.kind === "accepted" && !this.#handshake.socket.destroyed;
    if (!inUse) this.#handshake = { kind: "failed", failure };
    return error;
  }
}

class WrongServer extends Error {
  readonly got: SpiffeId;

  constructor(got: SpiffeId) {
    super(`the server is ${got}`);
    this.got = got;
  }
}

// The longest silence during a handshake, in milliseconds. A host that loses power during a handshake sends nothing
// more.
const HANDSHAKE_MS = 10_000;

/**
 * Performs a TLS handshake. The server's certificate is not verified yet when it resolves. Does not use tls.connect: it
 * calls `getPeerCertificate(true)` for each chain that OpenSSL trusts, which can end the process (sent-chain.ts), and it
 * compares host names, which SVIDs do not have.
 */
function performHandshake(socket: Socket, secureContext: SecureContext): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = new TLSSocket(socket, {
      isServer: false,
      secureContext,
      requestCert: true,
      // A server that OpenSSL does not trust is refused after the handshake, with a reason.
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    secured.setTimeout(HANDSHAKE_MS, () => secured.destroy(new Error(`no answer in ${HANDSHAKE_MS} ms`)));
    secured.on("error", reject);
    secured.once("close", () => reject(new Error("the connection was closed")));
    secured.once("secure", () => {
      secured.setTimeout(0);
      // tls.connect sets it at this point too. node:http2 begins to send when `secureConnecting` is false.
      Object.assign(secured, { secureConnecting: false });
      resolve(secured);
    });
    startHandshake(secured);
  });
}

/** Sends the ClientHello, with the internal function that tls.connect calls. */
function startHandshake(secured: TLSSocket): void {
  (secured as unknown as { readonly _start: () => void })._start();
}
