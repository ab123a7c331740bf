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

/** Who we are and whom alone we talk to. */
export interface Introduction {
  /** What every connection is made with: credentials never change their identity. */
  readonly identity: Pick<Identity, "svid" | "bundles">;
  /** The server's SPIFFE ID, compared exactly: requests carry secrets, and must not go to whoever answers. */
  readonly serverId: SpiffeId;
  readonly clock: Clock;
  /** Verifies servers. It follows the bundles of the newest identity. */
  readonly verifier: PeerVerifier;
}

/** How far the latest connection came. */
export type Handshake =
  /** Not even TCP. */
  | { readonly kind: "none" }
  | { readonly kind: "failed"; readonly failure: ConnectionFailure }
  | { readonly kind: "accepted"; readonly server: VerifiedSvid; readonly socket: TLSSocket };

/**
 * Channel credentials that make mTLS connections between SVIDs. They are a subclass, which grpc-js's types provide for,
 * because its own take the decision in checkServerIdentity, which is shown neither the chain as it was sent nor the
 * time, and is not called at all when OpenSSL has said no. Here our verifier alone decides, as on the server's side,
 * after the handshake and before HTTP/2 begins: a server that is refused has not been sent a byte.
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
    const secured = await this.#shakeHands(socket);
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

  async #shakeHands(socket: Socket): Promise<TLSSocket> {
    try {
      this.#pending.add(socket);
      return await shakeHands(socket, this.#context);
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

  /** What is known of a connection that is in use is kept, whatever becomes of another attempt. */
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

// Milliseconds of silence in a handshake. A host that loses its power in the middle of one says nothing ever again.
const HANDSHAKE_MS = 10_000;

/**
 * Resolves when TLS is up. Whose certificate it is has not been looked at then. Not by tls.connect: that one reads a chain
 * that OpenSSL trusts by `getPeerCertificate(true)`, see sent-chain.ts, and compares host names, which SVIDs are not for.
 */
function shakeHands(socket: Socket, secureContext: SecureContext): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = new TLSSocket(socket, {
      isServer: false,
      secureContext,
      requestCert: true,
      // A server whose certificate OpenSSL does not trust is refused after the handshake, with a reason.
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    secured.setTimeout(HANDSHAKE_MS, () => secured.destroy(new Error(`no answer in ${HANDSHAKE_MS} ms`)));
    secured.on("error", reject);
    secured.once("close", () => reject(new Error("the connection was closed")));
    secured.once("secure", () => {
      secured.setTimeout(0);
      // As tls.connect does at this point: http2 begins to send when it is false.
      Object.assign(secured, { secureConnecting: false });
      resolve(secured);
    });
    startHandshake(secured);
  });
}

/** Sends the hello. This is what tls.connect calls; it is not documented. */
function startHandshake(secured: TLSSocket): void {
  (secured as unknown as { readonly _start: () => void })._start();
}
