import { type ClientReadableStream, Metadata, type ServiceError, status as Code } from "@grpc/grpc-js";
import { DetailType, STATUS_DETAILS_TRAILER, errorInfo, status } from "../../src/contract/error-details.ts";
import * as wire from "../../src/contract/messages.ts";
import type { Caller } from "./server-kit.ts";

/** How a watch ended. */
export interface WatchEnd {
  /** The name of the gRPC code. */
  readonly code: string;
  /** From google.rpc.ErrorInfo. */
  readonly reason: string | undefined;
}

/** The fields of a request with which a watch continues. */
export type WatchBookmark = Pick<wire.WatchRequest, "fromRevision" | "policy" | "seenRevision" | "timeline">;

/** A watch by grpc-js, and the events that it has received. */
export class Watching {
  readonly events: wire.WatchResponse[] = [];
  readonly stream: ClientReadableStream<wire.WatchResponse>;
  #end: WatchEnd | undefined;
  #changed = () => {};

  constructor(caller: Pick<Caller, "client">, request: Partial<wire.WatchRequest>) {
    this.stream = caller.client.makeServerStreamRequest(
      "/coffer.v1.Secrets/Watch",
      (fields: Partial<wire.WatchRequest>) => wire.watchRequest.encode(wire.watchRequest.of(fields)),
      (bytes: Buffer) => wire.watchResponse.decode(bytes),
      request,
      new Metadata(),
    );
    this.stream.on("data", (event: wire.WatchResponse) => {
      this.events.push(event);
      this.#changed();
    });
    this.stream.on("error", (error: ServiceError) => this.#ended({ code: Code[error.code], reason: reasonOf(error) }));
    this.stream.on("end", () => this.#ended({ code: "OK", reason: undefined }));
  }

  /** The texts of {@link shown} for all events so far, without heartbeats. */
  get shown(): readonly string[] {
    return this.events.map(shown).filter((text) => !text.startsWith("heartbeat"));
  }

  /** The revisions of all events so far that are about a secret. */
  get revisions(): readonly number[] {
    return this.events.filter(({ event }) => event?.kind === "secret").map(({ revision }) => revision);
  }

  /** From where a later watch continues. */
  get bookmark(): WatchBookmark {
    return bookmarkAfter(this.events);
  }

  /** From where a later watch continues that has received nothing after this event. */
  bookmarkAt(event: wire.WatchResponse): WatchBookmark {
    return bookmarkAfter(this.events.slice(0, this.events.indexOf(event) + 1));
  }

  /** Resolves to the first event, of all that arrived and will arrive, for which `wanted` is true. Rejects at the end. */
  async first(wanted: (text: string, event: wire.WatchResponse) => boolean): Promise<wire.WatchResponse> {
    for (;;) {
      const found = this.events.find((event) => wanted(shown(event), event));
      if (found !== undefined) return found;
      if (this.#end !== undefined) throw new Error(`the watch ended: ${this.#end.code} ${this.#end.reason}`);
      await this.#next();
    }
  }

  /** Resolves when SYNCED has arrived. */
  synced(): Promise<wire.WatchResponse> {
    return this.first((_text, { event }) => event?.kind === "synced");
  }

  async ended(): Promise<WatchEnd> {
    while (this.#end === undefined) await this.#next();
    return this.#end;
  }

  cancel(): void {
    this.stream.cancel();
  }

  #ended(end: WatchEnd): void {
    this.#end ??= end;
    this.#changed();
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#changed;
      this.#changed = () => {
        before();
        resolve();
      };
    });
  }
}

/** Continues from the last SYNCED or heartbeat of these events. */
function bookmarkAfter(events: readonly wire.WatchResponse[]): WatchBookmark {
  const last = events.findLast(({ event }) => event?.kind === "synced" || event?.kind === "heartbeat");
  const event = last?.event;
  const policy = event?.kind === "synced" || event?.kind === "heartbeat" ? event.value.policy : "";
  const newest = events.reduce((one, other) => (other.revision > one.revision ? other : one));
  const { revision: seenRevision, timeline } = newest;
  return { fromRevision: last?.revision ?? 0, policy, seenRevision, timeline };
}

/** An event as a text, such as "shop/a v2 live k=1". */
function shown({ event }: wire.WatchResponse): string {
  switch (event?.kind) {
    case "secret":
      return shownSecret(event.value);
    case "revoked":
      return `revoked ${event.value.path}`;
    case "synced":
      return `synced ${event.value.readable}/${event.value.requested}`;
    case "heartbeat":
      return `heartbeat ${event.value.policy}`;
    default:
      return event?.kind ?? "unknown";
  }
}

const STATES = ["none", "live", "deleted", "destroyed", "expired"];

function shownSecret({ path, version, state, purged, data }: wire.WatchedSecret): string {
  const values = data.map(({ key, value }) => `${key}=${Buffer.from(value).toString()}`);
  return [path, `v${version}`, purged ? "purged" : STATES[state], ...values].join(" ");
}

function reasonOf({ metadata }: ServiceError): string | undefined {
  const [trailer] = metadata.get(STATUS_DETAILS_TRAILER);
  if (trailer === undefined) return undefined;
  const { details } = status.decode(trailer as Buffer);
  const info = details.find(({ typeUrl }) => typeUrl === DetailType.errorInfo);
  return info && errorInfo.decode(info.value).reason;
}
