import type { CallOptions, ChangeOptions } from "./call-options.ts";
import { ClientError, callAborted, clientClosed, unclear } from "./client-error.ts";
import { type ClientSettings, checkSignal, checkTimeout } from "./client-options.ts";
import type { IdentifiedRequest, Method } from "./methods.ts";
import type { Pauses } from "./pauses.ts";
import { mayRepeat, pauseMs, provesNotApplied } from "./repetition.ts";
import { flagOf, requestIdOf } from "./request-fields.ts";
import type { ServerChannels } from "./server-channels.ts";

/** What limits the attempts of one call. */
interface Limits {
  /** When the time of the call is over, in the milliseconds of `Timers.elapsed`. */
  readonly end: number;
  readonly signal: AbortSignal | undefined;
  readonly waitForReady: boolean;
  /** The request_id of all attempts; empty if there is none. */
  readonly requestId: string;
}

/** Makes calls, and makes them again as repetition.ts permits, until they are answered or their time is over. */
export class RepeatedCalls {
  readonly #settings: ClientSettings;
  readonly #channels: Pick<ServerChannels, "call">;
  readonly #pauses: Pauses;
  readonly #inFlight = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(settings: ClientSettings, channels: Pick<ServerChannels, "call">, pauses: Pauses) {
    this.#settings = settings;
    this.#channels = channels;
    this.#pauses = pauses;
  }

  /** Accepts and repeats no more calls. Resolves when those in flight are over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pauses.endAll();
    await Promise.allSettled(this.#inFlight);
  }

  /** Makes a call that changes nothing. Rejects with {@link ClientError}. */
  read<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    return this.#track(async () => this.#repeat(method, request, this.#limits(options, "")));
  }

  /**
   * Makes a change, with a request_id unless the client has none. If the server has no space for another request_id of
   * this caller, makes the change without one, unless the caller has chosen it. Rejects with {@link ClientError}.
   */
  change<Request extends IdentifiedRequest, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: ChangeOptions,
  ): Promise<Response> {
    return this.#track(async () => {
      const chosen = requestIdOf(options.requestId);
      const generated = this.#settings.requestIds ? this.#settings.newRequestId() : "";
      const limits = this.#limits(options, chosen ?? generated);
      try {
        return await this.#repeat(method, { ...request, requestId: limits.requestId }, limits);
      } catch (error) {
        if (chosen !== undefined || !isTableFull(error)) throw error;
        return await this.#repeat(method, request, { ...limits, requestId: "" });
      }
    });
  }

  async #track<Response>(begin: () => Promise<Response>): Promise<Response> {
    const call = begin();
    this.#inFlight.add(call);
    try {
      return await call;
    } catch (error) {
      // The error was created in a callback of grpc-js, so its own stack does not contain the caller of this client.
      if (error instanceof ClientError) Error.captureStackTrace(error);
      throw error;
    } finally {
      this.#inFlight.delete(call);
    }
  }

  #limits({ signal, ...options }: CallOptions, requestId: string): Limits {
    const { timers, timeoutMs, waitForReady } = this.#settings;
    const end = timers.elapsed() + checkTimeout(options.timeoutMs ?? timeoutMs);
    checkSignal(signal);
    return { end, signal, waitForReady: flagOf("waitForReady", options.waitForReady) ?? waitForReady, requestId };
  }

  async #repeat<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: Limits,
  ): Promise<Response> {
    /** The last attempt that may have been applied. */
    let unknown: ClientError | undefined;
    for (let attempts = 1; ; attempts++) {
      try {
        return await this.#attempt(method, request, limits);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (error.applied === "unknown") unknown = error;
        const pause = pauseMs(attempts, error.retryDelayMs, this.#settings.random);
        if (!this.#isRepeated(error, limits, pause)) throw conclusion(error, unknown, limits.requestId);
        await this.#pauses.wait(pause, limits.signal);
      }
    }
  }

  #attempt<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { end, signal, requestId }: Limits,
  ): Promise<Response> {
    if (this.#isClosed) throw clientClosed();
    if (signal?.aborted) throw callAborted(signal);
    const deadline = Date.now() + end - this.#settings.timers.elapsed();
    const isRepeatable = !method.changes || (requestId !== "" && this.#settings.retry);
    return this.#channels.call(method, request, { deadline, signal, isRepeatable });
  }

  #isRepeated(error: ClientError, { end, signal, waitForReady, requestId }: Limits, pause: number): boolean {
    const { retry, timers } = this.#settings;
    const isOver = this.#isClosed || signal?.aborted === true || timers.elapsed() + pause >= end;
    return retry && !isOver && mayRepeat(error, waitForReady, requestId !== "");
  }
}

/** The error with which a call fails. `unknown` is the error of the last attempt that may have been applied. */
function conclusion(last: ClientError, unknown: ClientError | undefined, requestId: string): ClientError {
  if (unknown === undefined || provesNotApplied(last)) return last;
  return unclear(last, unknown, requestId === "" ? undefined : requestId);
}

function isTableFull(error: unknown): boolean {
  return error instanceof ClientError && error.reason === "REQUEST_IDS_FULL" && error.applied === "no";
}
