import type { DeleteResponse, DescribeResponse, ListEntry, ListResponse, PutResponse } from "../contract/messages.ts";
import { type Clock, systemClock } from "../domain/timers.ts";
import { Content, type ContentEntry } from "../domain/content.ts";
import { type Address, formatAddress } from "../domain/address.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { PeerVerifier } from "../spiffe/peer-verifier.ts";
import type { IdentitySnapshot, IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { ClientError } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import { IdentityChannel } from "./identity-channel.ts";
import {
  type Method,
  SERVING_STATUS,
  type ServingStatus,
  deleteMethod,
  describeMethod,
  getMethod,
  healthMethod,
  listMethod,
  putMethod,
} from "./methods.ts";

/** What a client needs to know. */
export interface ClientOptions {
  readonly address: Address;
  /** Who we are. Followed as long as the client is open, and not closed with it. */
  readonly identity: Pick<IdentitySource, "snapshot" | "onChange">;
  /** The server's SPIFFE ID, compared exactly: requests carry secrets, and must not go to whoever answers. */
  readonly serverId: SpiffeId;
  /** How long one call may take, in milliseconds, connecting included. */
  readonly timeoutMs: number;
  /** The time by which the server's SVID must be valid; the machine's by default. */
  readonly clock?: Clock;
}

/** The content of one version. */
export interface Secret {
  readonly path: string;
  readonly version: number;
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly createTime: number | undefined;
  readonly content: Content;
}

/**
 * Calls a Coffer server as the workload that the identity names, and calls no other server. Values travel as bytes.
 * Follows the identity: calls that begin after a rotation are made with the new SVID, those under way end on the
 * connection on which they began. A call that the server has begun to look at is never repeated. Every method throws
 * {@link ClientError}.
 */
export class CofferClient {
  readonly #options: Required<ClientOptions>;
  readonly #stopFollowing: () => void;
  readonly #verifier = new PeerVerifier("server");
  #state: ClientState = { kind: "idle" };

  private constructor(options: ClientOptions) {
    this.#options = { clock: systemClock, ...options };
    // Not only when the next call comes: an idle client would hold a connection of an SVID that is no longer its own.
    this.#stopFollowing = options.identity.onChange(() => this.#drain());
  }

  /** Makes a client. It connects when it is first used. */
  static connect(options: ClientOptions): CofferClient {
    return new CofferClient(options);
  }

  /** Adds a version with this content. `expectedVersion`: see Put in coffer.proto. */
  async put(path: string, content: Content, options: { readonly expectedVersion?: number } = {}): Promise<PutResponse> {
    const { expectedVersion } = options;
    const entries = content.entries();
    const data = entries.filter((entry) => entry.kind === "text");
    const binaryData = entries.filter((entry) => entry.kind === "binary");
    return this.#call(putMethod, { path, data, binaryData, expectedVersion });
  }

  /** Reads a version, the newest by default. */
  async get(path: string, version = 0): Promise<Secret> {
    const { data, binaryData, ...rest } = await this.#call(getMethod, { path, version });
    const text = data.map((entry): ContentEntry => ({ ...entry, kind: "text" }));
    const binary = binaryData.map((entry): ContentEntry => ({ ...entry, kind: "binary" }));
    return { ...rest, content: Content.unchecked([...text, ...binary]) };
  }

  /** Deletes versions, the newest by default. The answer lists those that this call changed. */
  async delete(
    path: string,
    options: { readonly versions?: readonly number[]; readonly expectedVersion?: number } = {},
  ): Promise<DeleteResponse> {
    const { versions = [], expectedVersion } = options;
    return this.#call(deleteMethod, { path, versions, expectedVersion });
  }

  /** Every secret whose path begins with `prefix` and that the caller may list, in path order, page by page. */
  async *list(prefix = ""): AsyncGenerator<ListEntry, void> {
    let pageToken = "";
    do {
      const page: ListResponse = await this.#call(listMethod, { prefix, pageSize: 0, pageToken });
      yield* page.entries;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** What is known of a secret except its content. */
  async describe(path: string): Promise<DescribeResponse> {
    return this.#call(describeMethod, { path });
  }

  /** Whether the server, or one of its services by full name, takes calls. Source: gRPC Health Checking Protocol. */
  async health(service = ""): Promise<ServingStatus> {
    const { status } = await this.#call(healthMethod, { service });
    return SERVING_STATUS[status] ?? "UNKNOWN";
  }

  /** Takes no more calls. The connection ends when those under way are over. */
  close(): void {
    this.#stopFollowing();
    this.#drain();
    this.#state = { kind: "closed" };
  }

  async #call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return this.#channel().call(method, request, Date.now() + this.#options.timeoutMs);
  }

  /** The channel of the newest identity. */
  #channel(): IdentityChannel {
    if (this.#state.kind === "closed") throw new ClientError("CANCELLED", "the client is closed");
    const identity = this.#identity();
    if (this.#state.kind === "connected" && this.#state.channel.serves(identity)) return this.#state.channel;
    this.#drain();
    const { address, serverId, clock } = this.#options;
    this.#verifier.follow(identity.bundles);
    const channel = new IdentityChannel(address, { identity, serverId, clock, verifier: this.#verifier });
    this.#state = { kind: "connected", channel };
    return channel;
  }

  #identity(): IdentitySnapshot {
    try {
      return this.#options.identity.snapshot();
    } catch (error) {
      if (!(error instanceof MaterialError)) throw error;
      const failure: ConnectionFailure = { kind: "no-identity", problems: error.problems };
      const told = describeFailure(failure, formatAddress(this.#options.address));
      throw new ClientError("UNAVAILABLE", told, { failure }, { cause: error });
    }
  }

  #drain(): void {
    if (this.#state.kind === "connected") this.#state.channel.drain();
    this.#state = { kind: "idle" };
  }
}

/** `connected` says that there is a channel; it connects with its first call. */
type ClientState =
  | { readonly kind: "idle" }
  | { readonly kind: "connected"; readonly channel: IdentityChannel }
  | { readonly kind: "closed" };
