import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { getRequest, getResponse } from "../../src/contract/messages.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import type { CertificateFilter } from "../../src/admission/certificate-filter.ts";
import { type Connection, Connections } from "../../src/admission/connection.ts";
import type { Refused } from "../../src/admission/connection-refusal.ts";
import { GrpcServer } from "../../src/grpc/grpc-server.ts";
import { HandshakeGate } from "../../src/admission/handshake-gate.ts";
import { Listener } from "../../src/admission/listener.ts";
import { ConnectionAdmission } from "../../src/admission/connection-admission.ts";
import type { SecretsMethods } from "../../src/grpc/secrets-service.ts";
import { ANY_CALLER, WIDE_LIMITS } from "../support/any-caller.ts";
import { ManualTimers } from "../support/manual-timers.ts";
import { type Case, NOW, TRUST } from "../support/chain-world.ts";
import { ownIdentity } from "./own-identity.ts";
import type { Peer } from "./peers.ts";
import { NO_WATCHES } from "../support/no-watches.ts";
import { FILTER } from "../support/loaded-filter.ts";

/** What happened to a peer. */
export interface Reply {
  readonly refused: readonly Refused[];
  /** The SPIFFE ID of each call that reached a handler. */
  readonly handled: readonly string[];
}

/** Serves one peer with the server's part from accept(2) to the call of a method, and returns what happened to it. */
export async function servePeer(row: Case, peer: Peer, filter: CertificateFilter = FILTER): Promise<Reply> {
  const [reply] = await servePeers(row, [row], peer, filter);
  return reply!;
}

/**
 * Like {@link servePeer}, for several peers of one server, one after the other, with the bundles and the time of `row`.
 */
export async function servePeers(
  row: Pick<Case, "bundles" | "now">,
  shown: readonly Pick<Case, "chain" | "key">[],
  peer: Peer,
  filter: CertificateFilter = FILTER,
): Promise<Reply[]> {
  const server = new PeerServer(row, filter);
  const replies: Reply[] = [];
  for (const each of shown) replies.push(await server.meet((socket) => peer(socket, each)));
  server.close();
  return replies;
}

const LIMITS = { connections: 10, inProgress: 10, perSecond: 1000 };
const ANSWER = { path: "", version: 1, data: [], binaryData: [], createTime: 0, revision: 1 };

/** A server for one case, with its bundles and its time. */
class PeerServer {
  readonly #identity: IdentitySource;
  /** The time of the handshake gate. Each peer advances it, so that the gate does not delay its handshake. */
  readonly #gateTimers = new ManualTimers(0);
  #refused: Refused[] = [];
  #handled: string[] = [];
  readonly #admission: ConnectionAdmission;
  #decide = () => {};

  constructor({ bundles = TRUST, now = NOW }: Pick<Case, "bundles" | "now">, filter: CertificateFilter) {
    const connections = new Connections();
    const timers = new ManualTimers(now);
    const methods = this.#methods();
    const server = new GrpcServer({
      connections,
      ...WIDE_LIMITS,
      watch: NO_WATCHES,
      methods,
      onHandled: () => {},
      timers,
      random: () => 0.5,
    });
    this.#identity = ownIdentity(bundles, timers);
    this.#admission = new ConnectionAdmission({
      identity: this.#identity,
      connections,
      gate: new HandshakeGate(LIMITS, this.#gateTimers),
      filter,
      timers,
      onConnection: (connection) => server.serve(connection),
      onRefused: (refused) => {
        this.#refused.push(refused);
        this.#decide();
      },
    });
  }

  async meet(introduce: (socket: Socket) => void): Promise<Reply> {
    this.#refused = [];
    this.#handled = [];
    this.#gateTimers.advance(1000);
    // Resolves when the peer is refused, or its call is handled.
    const decided = new Promise<void>((resolve) => {
      this.#decide = resolve;
    });
    const accepted: Socket[] = [];
    const accept = (socket: Socket) => {
      accepted.push(socket);
      this.#admission.receive(socket);
    };
    const listener = await Listener.listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { accept, failed: () => {} });
    const peer = connect((listener.address as { port: number }).port, "127.0.0.1");
    peer.on("error", () => {});
    introduce(peer);
    await decided;
    peer.destroy();
    await Promise.all([peer, ...accepted].map((socket) => socket.closed || once(socket, "close")));
    // A call that was still on its way to a handler would arrive in this turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    listener.close();
    return { refused: this.#refused, handled: this.#handled };
  }

  close(): void {
    this.#admission.close();
    this.#identity.close();
  }

  #methods(): SecretsMethods {
    const handle = ({ id }: Connection) => {
      this.#handled.push(String(id));
      this.#decide();
      return ANSWER;
    };
    return { Get: { request: getRequest, response: getResponse, ...ANY_CALLER, handle } } as unknown as SecretsMethods;
  }
}
