import { ClientError, type ErrorFacts, type StatusName } from "../../src/client/client-error.ts";
import { Pauses } from "../../src/client/pauses.ts";
import type { SecretEvent } from "../../src/client/secret-events.ts";
import { SecretWatch, type WatchConnection } from "../../src/client/secret-watch.ts";
import type { StreamStep } from "../../src/client/server-stream.ts";
import { type WatchOptions, readWatchOptions } from "../../src/client/watch-options.ts";
import type { ReportRequest, WatchRequest, WatchResponse, WatchedSecret } from "../../src/contract/messages.ts";
import { ManualTimers } from "./manual-timers.ts";

/** The time without a message after which a connection is broken, in milliseconds. */
export const SILENCE_MS = 20_000;

/** A stream whose messages the test sends. */
export class ScriptedStream {
  readonly request: WatchRequest;
  readonly over: Promise<void>;
  /** Whether the client has ended the stream. */
  isCancelled = false;
  /** How many messages the client has read. */
  reads = 0;
  readonly #messages: WatchResponse[] = [];
  #end: StreamStep<never> | undefined;
  #wake = () => {};
  #resolveOver = () => {};

  constructor(request: WatchRequest) {
    this.request = request;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
  }

  async next(): Promise<StreamStep<WatchResponse>> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.reads += 1;
        return { kind: "message", message };
      }
      if (this.#end !== undefined) return this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  silence(): void {
    this.isCancelled = true;
    this.#finish({ kind: "failed", error: failed("UNAVAILABLE", { failure: { kind: "no-answer", wasSent: true } }) });
  }

  replace(): void {
    this.isCancelled ||= this.#end === undefined;
    this.#finish({ kind: "replaced" });
  }

  send(...messages: readonly WatchResponse[]): this {
    this.#messages.push(...messages);
    this.#wake();
    return this;
  }

  fail(error: ClientError): void {
    this.#finish({ kind: "failed", error });
  }

  #finish(end: StreamStep<never>): void {
    this.#end ??= end;
    this.#resolveOver();
    this.#wake();
  }
}

/** The streams of a watch, in the order in which it has begun them. */
export class ScriptedWatches {
  readonly timers = new ManualTimers(0);
  readonly pauses = new Pauses(this.timers);
  readonly streams: ScriptedStream[] = [];
  /** Errors with which the next streams can't begin. */
  readonly refusals: ClientError[] = [];
  /** The reports, in the order in which they were sent. */
  readonly reports: ReportRequest[] = [];
  /** What happens to a report. */
  answerReport: (request: ReportRequest, signal: AbortSignal) => Promise<void> = async () => {};
  /** How many watches have ended. */
  ended = 0;

  begin(options: WatchOptions = { prefixes: [""] }): SecretWatch {
    const connection: WatchConnection = {
      open: async (request) => {
        const refusal = this.refusals.shift();
        if (refusal !== undefined) throw refusal;
        const stream = new ScriptedStream(request);
        this.streams.push(stream);
        return stream;
      },
      report: (request, signal) => {
        this.reports.push(request);
        return this.answerReport(request, signal);
      },
      onOver: () => {
        this.ended += 1;
      },
      pauses: this.pauses,
      timers: this.timers,
      random: () => 1,
      silenceMs: SILENCE_MS,
    };
    return new SecretWatch(readWatchOptions(options), connection);
  }

  /** The newest stream, when everything that is due has happened. */
  async stream(count = this.streams.length): Promise<ScriptedStream> {
    await turns();
    const stream = this.streams.at(-1);
    if (stream === undefined || this.streams.length < count)
      throw new Error(`${this.streams.length} streams have begun`);
    return stream;
  }
}

/** Waits until all promises that can settle have settled. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
}

/** An error of a call. */
export function failed(code: StatusName, facts: ErrorFacts = {}): ClientError {
  return new ClientError(code, code, facts);
}

/** The error of a connection that has broken. */
export const BROKEN = failed("UNAVAILABLE", { failure: { kind: "broken", problem: "ECONNRESET" } });

/** An event with a live version whose content is `k=PATH@VERSION`. */
export function live(
  path: string,
  version: number,
  revision: number,
  facts: Partial<WatchedSecret> = {},
): WatchResponse {
  const data = [{ key: "k", value: Buffer.from(`${path}@${version}`) }];
  return secret({ path, version, state: 1, data, ...facts }, revision);
}

/** An event of the type `secret`. */
export function secret(facts: Partial<WatchedSecret> & Pick<WatchedSecret, "path">, revision: number): WatchResponse {
  const empty = { version: 0, state: 0, purged: false, createTime: revision, expireTime: undefined };
  return {
    revision,
    event: { kind: "secret", value: { ...empty, data: [], binaryData: [], ...facts } },
    timeline: "t",
  };
}

/** SYNCED, with a watch_id that is the revision. */
export function synced(revision: number, policy = "p"): WatchResponse {
  return {
    revision,
    event: { kind: "synced", value: { readable: 1, requested: 1, watchId: `watch-${revision}`, policy } },
    timeline: "t",
  };
}

export function heartbeat(revision: number, policy = "p"): WatchResponse {
  return { revision, event: { kind: "heartbeat", value: { policy } }, timeline: "t" };
}

export const RESYNC: WatchResponse = { revision: 0, event: { kind: "resync", value: {} }, timeline: "" };

export function revoked(path: string, revision: number): WatchResponse {
  return { revision, event: { kind: "revoked", value: { path } }, timeline: "t" };
}

/** An event of a watch as a text, such as "shop/a v2 live k=1". */
export function shownEvent(event: SecretEvent): string {
  switch (event.kind) {
    case "secret": {
      const values = event.content?.keys().map((key) => `${key}=${event.content?.text(key)}`) ?? [];
      return [event.path, `v${event.version}`, event.state, ...values].join(" ");
    }
    case "gone":
      return `gone ${event.path} ${event.reason}`;
    case "synced":
      return `synced ${event.readable}/${event.requested}`;
    case "heartbeat":
      return "heartbeat";
    case "disconnected":
      return `disconnected ${event.error.reason ?? event.error.failure?.kind ?? event.error.code}`;
  }
}

/** The next events, as texts. */
export async function take(watch: SecretWatch, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { value } = await watch.next();
    texts.push(value === undefined ? "done" : shownEvent(value));
  }
  return texts;
}
