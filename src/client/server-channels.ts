import type { Address } from "../domain/address.ts";
import type { Clock } from "../domain/timers.ts";
import { PeerVerifier } from "../spiffe/peer-verifier.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { ClientError } from "./client-error.ts";
import { type ClientIdentity, snapshotOf } from "./client-identity.ts";
import type { ConnectionFailure } from "./connection-failure.ts";
import { type CallLimits, IdentityChannel } from "./identity-channel.ts";
import type { OpenIdentity } from "./identity-option.ts";
import type { Method } from "./methods.ts";
import { isServerGone, mayGoElsewhere, mayPass } from "./repetition.ts";
import type { ServerStream } from "./server-stream.ts";

/** The servers of one client, and the identity to call them with. */
export interface Servers {
  /** At least one. */
  readonly addresses: readonly Address[];
  readonly serverId: SpiffeId;
  readonly identity: ClientIdentity;
  readonly clock: Clock;
}

/**
 * The channels to the servers of one client. One address is in use, initially the first. A failed call that was
 * certainly not applied is made at the next address immediately. That address stays in use if it answers.
 */
export class ServerChannels {
  readonly #servers: Servers;
  readonly #verifier = new PeerVerifier("server");
  /**
   * By the index of the address. Failed channels are kept, with their reconnect back-off, until another address
   * answers.
   */
  readonly #channels = new Map<number, IdentityChannel>();
  #inUse = 0;

  constructor(servers: Servers) {
    this.#servers = servers;
  }

  /** Makes a call at each address in turn until one answers. Rejects with {@link ClientError}. */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: CallLimits,
  ): Promise<Response> {
    const errors: ClientError[] = [];
    for (;;) {
      const isLast = errors.length === this.#servers.addresses.length - 1;
      try {
        return await this.#callInUse(method, request, (channel) => (isLast ? limits : firstPart(limits, channel)));
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        errors.push(error);
        if (isLast || Date.now() >= limits.deadline || !mayGoElsewhere(error)) throw summary(errors);
      }
    }
  }

  /**
   * Begins a call whose response is a stream, at the address in use. After a failure, the next call is made at the next
   * address. Rejects with {@link ClientError}.
   */
  async stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): Promise<ServerStream<Response>> {
    const index = this.#inUse;
    const channel = this.#channel(index, await this.#servers.identity.open());
    return channel.stream(method, request, {
      onAnswer: () => this.#keepOnly(index, channel),
      onOver: (error) => error && this.#leave(index, channel, error),
    });
  }

  /** Closes each connection after its last call. The next call makes a new connection. */
  drain(): void {
    for (const channel of this.#channels.values()) channel.drain();
    this.#channels.clear();
  }

  async #callInUse<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limitsOf: (channel: IdentityChannel) => CallLimits,
  ): Promise<Response> {
    const index = this.#inUse;
    // Does not await a source that is open, so that a call uses the identity that is current when it begins.
    const source = this.#servers.identity.source ?? (await this.#servers.identity.open());
    const channel = this.#channel(index, source);
    try {
      const response = await channel.call(method, request, limitsOf(channel));
      this.#keepOnly(index, channel);
      return response;
    } catch (error) {
      if (error instanceof ClientError) this.#leave(index, channel, error);
      throw error;
    }
  }

  /** The channel for the newest identity. */
  #channel(index: number, source: OpenIdentity): IdentityChannel {
    const { addresses, serverId, clock } = this.#servers;
    const address = addresses[index] as Address;
    const snapshot = snapshotOf(source, address);
    const channel = this.#channels.get(index);
    if (channel?.serves(snapshot)) return channel;
    channel?.drain();
    this.#verifier.follow(snapshot.bundles);
    const next = new IdentityChannel(address, { identity: snapshot, serverId, clock, verifier: this.#verifier });
    this.#channels.set(index, next);
    return next;
  }

  #keepOnly(index: number, answering: IdentityChannel): void {
    if (this.#channels.size < 2 || this.#channels.get(index) !== answering) return;
    for (const [other, channel] of this.#channels) {
      if (other === index) continue;
      channel.drain();
      this.#channels.delete(other);
    }
  }

  /** Uses the next address after a failure, unless another call has already changed it. */
  #leave(index: number, channel: IdentityChannel, error: ClientError): void {
    // A connection keeps the SVID of its handshake, so the next call needs a new connection.
    if (error.reason === "SVID_EXPIRED" && this.#channels.get(index) === channel) {
      channel.drain();
      this.#channels.delete(index);
    }
    // A server that answers other calls is slow, but reachable.
    const isSlow = error.failure?.kind === "no-answer" && channel.isConnected && !channel.isSilent;
    if (index === this.#inUse && isServerGone(error) && !isSlow)
      this.#inUse = (index + 1) % this.#servers.addresses.length;
  }
}

/**
 * Limits an attempt to half of the remaining time, so that the next address gets the rest. A change without request_id
 * that may reach the server can't be repeated at another address, so it gets all of the time.
 */
function firstPart(limits: CallLimits, channel: IdentityChannel): CallLimits {
  if (!limits.isRepeatable && channel.isConnected) return limits;
  const now = Date.now();
  return { ...limits, deadline: now + (limits.deadline - now) / 2 };
}

/**
 * One error for the failures at several addresses. It has the first failure that may be temporary, since the call may
 * succeed later.
 */
function summary(errors: readonly ClientError[]): ClientError {
  const [error, ...others] = [...errors].reverse();
  if (error === undefined || others.length === 0) return error as ClientError;
  if (error.failure === undefined || error.code !== "UNAVAILABLE") return error;
  const temporary = errors.find(mayPass) ?? error;
  const message = errors.map((each) => each.message).join("; ");
  return new ClientError("UNAVAILABLE", message, { failure: temporary.failure as ConnectionFailure }, { cause: error });
}
