import type { ReportRequest, WatchRequest, WatchResponse } from "../contract/messages.ts";
import type { Timers } from "../domain/timers.ts";
import { ClientError, callAborted, clientClosed } from "./client-error.ts";
import { EventQueue } from "./event-queue.ts";
import type { Pauses } from "./pauses.ts";
import { watchPauseMs, watchMayPass } from "./repetition.ts";
import { type Text, versionOf } from "./request-fields.ts";
import type { SecretEvent } from "./secret-events.ts";
import type { ServerStream, StreamStep } from "./server-stream.ts";
import { textOf } from "./values.ts";
import type { WatchSettings } from "./watch-options.ts";
import { type ReportedState, WatchReports } from "./watch-reports.ts";
import { WatchView } from "./watch-view.ts";

/** What a watch needs of its client. */
export interface WatchConnection {
  /** Begins a stream. Rejects with {@link ClientError}. */
  readonly open: (
    request: WatchRequest,
  ) => Promise<Pick<ServerStream<WatchResponse>, "next" | "over" | "silence" | "replace">>;
  /** Sends a report, until the signal is aborted. Rejects with {@link ClientError}. */
  readonly report: (request: ReportRequest, signal: AbortSignal) => Promise<unknown>;
  /** Called once, when the watch has ended. */
  readonly onOver: () => void;
  readonly pauses: Pauses;
  readonly timers: Pick<Timers, "delay" | "afterTurn">;
  readonly random: () => number;
  /** After how many milliseconds without a message a connection is broken. */
  readonly silenceMs: number;
}

type Stream = Awaited<ReturnType<WatchConnection["open"]>>;

/** How a stream ended. */
type StreamEnd = Exclude<StreamStep<never>, { readonly kind: "message" }>;

/** With each failure, silence is tolerated for twice as long, up to this factor: a first snapshot can take long. */
const MAX_SILENCE_FACTOR = 8;

/**
 * The changes of secrets, as an async iterator. It survives reconnects, rotations of the SVID and restarts of the server:
 * the consumer sees each state once, and never an older one after a newer one. Breaking out of `for await` ends it.
 */
export class SecretWatch implements AsyncIterableIterator<SecretEvent, undefined> {
  readonly #settings: WatchSettings;
  readonly #connection: WatchConnection;
  readonly #view = new WatchView((path) => this.#reports.replaced(path));
  readonly #queue = new EventQueue<SecretEvent>();
  readonly #reports: WatchReports;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  /** The number of failures since SYNCED. */
  #failures = 0;

  /** @internal */
  constructor(settings: WatchSettings, connection: WatchConnection) {
    this.#settings = settings;
    this.#connection = connection;
    // The server forgets the reports at the end of the watch, so they must not delay it.
    const send = (request: ReportRequest) => connection.report(request, this.#stop.signal);
    this.#reports = new WatchReports(settings.instance, send);
    const abort = () => this.#end(callAborted(settings.signal as AbortSignal));
    settings.signal?.addEventListener("abort", abort);
    if (settings.signal?.aborted) abort();
    this.#ended = this.#run().finally(() => {
      settings.signal?.removeEventListener("abort", abort);
      connection.onOver();
    });
  }

  /** The next event. Rejects with {@link ClientError} if the watch has ended for a reason that waiting does not solve. */
  next(): Promise<IteratorResult<SecretEvent, undefined>> {
    return this.#queue.next();
  }

  /** Ends the watch. Resolves when its stream is over. */
  async return(): Promise<IteratorResult<SecretEvent, undefined>> {
    this.#end(undefined);
    await this.#ended;
    return { done: true, value: undefined };
  }

  /**
   * Reports which version of a secret this workload has received or uses, for `describe` and for changes that require
   * that all watchers use the newest version. The watch sends the report now if it is connected, and again after each
   * reconnect. Rejects with {@link ClientError} if the server refuses the report.
   */
  async report(path: Text, version: number, state: ReportedState): Promise<void> {
    await this.#reports.report(textOf("path", path), versionOf("version", version), state);
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as `return`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /**
   * The client is being closed. Resolves when the stream of the watch is over.
   *
   * @internal
   */
  async close(): Promise<void> {
    this.#end(clientClosed());
    await this.#ended;
  }

  #end(error: Error | undefined): void {
    for (const event of this.#queue.end(error)) if (event.kind === "secret") event.content?.dispose();
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isOver) await this.#connect();
    } catch (error) {
      this.#end(error as Error);
    }
  }

  get #isOver(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Receives one stream to its end, and waits until the next one may begin. */
  async #connect(): Promise<void> {
    const end = await this.#attempt();
    this.#reports.disconnected();
    if (this.#isOver || end.kind === "replaced") return;
    const { error } = end;
    if (!watchMayPass(error)) throw error;
    // The server ends streams before it closes a connection that has reached its age.
    if (this.#view.isSynced && error.reason === "SHUTTING_DOWN") return;
    this.#failures += 1;
    if (error.reason === "REVISION_AHEAD" && this.#failures > 1) this.#view.forgetBookmark();
    const { pauses, random } = this.#connection;
    const retryInMs = watchPauseMs(this.#failures, error.retryDelayMs, random);
    this.#show({ kind: "disconnected", error, retryInMs });
    await pauses.wait(retryInMs, this.#stop.signal);
  }

  async #attempt(): Promise<StreamEnd> {
    try {
      const { scope } = this.#settings;
      const stream = await this.#connection.open({ ...scope, ...this.#view.begin() });
      return await this.#receive(stream);
    } catch (error) {
      if (error instanceof ClientError) return { kind: "failed", error };
      throw error;
    }
  }

  async #receive(stream: Stream): Promise<StreamEnd> {
    const stop = () => stream.replace();
    this.#stop.signal.addEventListener("abort", stop);
    if (this.#isOver) stop();
    let isStreamOver = false;
    void stream.over.then(() => {
      isStreamOver = true;
      this.#queue.wake();
    });
    try {
      for (;;) {
        while (!this.#queue.hasSpace && !isStreamOver) await this.#queue.changed();
        // If the stream ends while the consumer does not read, the next one must begin in any case.
        if (!this.#queue.hasSpace) return await endOf(stream);
        const step = await this.#step(stream);
        if (step.kind !== "message") return step;
        this.#take(step.message);
      }
    } finally {
      this.#stop.signal.removeEventListener("abort", stop);
    }
  }

  /** The next message. The stream ends if it does not arrive in time. */
  async #step(stream: Stream): Promise<StreamStep<WatchResponse>> {
    const { timers, silenceMs } = this.#connection;
    const factor = Math.min(2 ** this.#failures, MAX_SILENCE_FACTOR);
    // In the turn in which a blocked event loop continues, the timer runs before the messages that have arrived.
    const cancel = timers.delay(silenceMs * factor, () => timers.afterTurn(() => isWaiting && stream.silence()));
    let isWaiting = true;
    try {
      return await stream.next();
    } finally {
      isWaiting = false;
      cancel();
    }
  }

  #take(message: WatchResponse): void {
    const { event } = message;
    for (const item of this.#view.take(message)) {
      if (item.kind === "gone") this.#reports.gone(item);
      this.#show(item);
    }
    if (event?.kind === "heartbeat") this.#reports.alive();
    if (event?.kind !== "synced") return;
    this.#failures = 0;
    this.#reports.connected(event.value.watchId);
  }

  #show(event: SecretEvent): void {
    // While the consumer does not read, it needs to know only the last failure.
    if (event.kind === "disconnected" && this.#queue.last?.kind === "disconnected") this.#queue.replaceLast(event);
    else if (!this.#queue.push(event) && event.kind === "secret") event.content?.dispose();
  }
}

/** Returns the reason for the end of a stream that is over. Overwrites the values of its messages: none is delivered. */
async function endOf(stream: Stream): Promise<StreamEnd> {
  for (;;) {
    const step = await stream.next();
    if (step.kind !== "message") return step;
    if (step.message.event?.kind === "secret") {
      for (const { value } of [...step.message.event.value.data, ...step.message.event.value.binaryData]) value.fill(0);
    }
  }
}
