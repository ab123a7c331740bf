import type { Timers } from "../domain/timers.ts";
import type { Purpose } from "../spiffe/certificate-rules.ts";
import { CurrentIdentity } from "../identity/current-identity.ts";
import { FollowedSource } from "../identity/followed-source.ts";
import { MaterialError, UntimelySvid } from "../spiffe/material-error.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { BackOff } from "./back-off.ts";
import type { Endpoint } from "./endpoint.ts";
import { Federation } from "./federation.ts";
import { type ChosenSvid, chooseSvid, type Selection } from "./selection.ts";
import { openSvidStream, type StreamEnd } from "./svid-stream.ts";
import { readX509Context, type X509Context } from "./x509-context.ts";

/**
 * How long the source waits for a more complete message after one that lacks an SVID, in milliseconds. When a CA is
 * tainted, SPIRE's agent first sends only the SVIDs that it has renewed so far, and all of them 2 ms later. A message
 * that lacks an SVID can also lack a trust domain. The source trusts that trust domain until the wait ends, so the wait
 * must be short.
 */
const SETTLE_MS = 250;

/** After how long a message is checked again if its SVID has expired or is not valid yet, in milliseconds. */
const UNTIMELY_MS = 1000;

/**
 * The longest time between checks whether kept bundles have expired, in milliseconds. It is limited because the clock
 * can be set in the meantime.
 */
const LOOK_MS = 60_000;

/** The options of {@link WorkloadApiSource}. */
export interface WorkloadApiOptions {
  readonly endpoint: Endpoint;
  readonly selection: Selection;
  /** The side of TLS on which the SVID must be accepted. */
  readonly purpose: Purpose;
  readonly timers: Timers;
  /** Returns numbers in [0, 1), which vary the pauses between attempts; Math.random by default. */
  readonly random?: () => number;
}

/**
 * The identity that the SPIFFE Workload API provides to this process over a long-lived stream. Each message replaces
 * the whole state. A message that can't be used changes nothing. A problem with the bundle of another trust domain
 * affects only that trust domain. If the stream is lost, or the API no longer has an identity for this process, the
 * current one stays in use until it expires.
 */
export class WorkloadApiSource extends FollowedSource {
  readonly #options: WorkloadApiOptions;
  readonly #backOff: BackOff;
  readonly #federation = new Federation();
  /** The number of SVIDs in the message that was adopted last. */
  #offered = 0;
  /** The SPIFFE ID of the current identity, or of the last one. */
  #inUse: SpiffeId | undefined;
  /** Whether any message has arrived. */
  #answered = false;
  #isClosed = false;
  #stopFetching = () => {};
  #stopSettling = () => {};
  #stopKeeping = () => {};

  private constructor(options: WorkloadApiOptions) {
    super(new CurrentIdentity(options.timers, `the Workload API at ${options.endpoint.text} has not answered yet`));
    this.#options = options;
    this.#backOff = new BackOff(options.random ?? Math.random);
  }

  /** Begins to fetch. The source is not ready yet when this returns: see whenReady. */
  static open(options: WorkloadApiOptions): WorkloadApiSource {
    const source = new WorkloadApiSource(options);
    source.#fetch();
    return source;
  }

  /**
   * Opens a new stream immediately, even during the pause before the next attempt. A stream begins with the complete
   * state.
   */
  override reload(): void {
    if (this.#isClosed || this.state.kind === "failed") return;
    this.#stopFetching();
    this.#stopSettling();
    this.#fetch();
  }

  override close(): void {
    this.#isClosed = true;
    this.#stopFetching();
    this.#stopSettling();
    this.#stopKeeping();
    super.close();
  }

  #fetch(): void {
    this.#stopFetching = openSvidStream(this.#options.endpoint, this.#options.timers, {
      onMessage: (bytes) => this.#judging(() => this.#receive(bytes)),
      onEnd: (end) => this.#onEnd(end),
    });
  }

  #onEnd({ kind, problem }: StreamEnd): void {
    // A pending incomplete message is discarded: the next stream begins with the complete state.
    this.#stopSettling();
    // After one answer the request is known to be valid, so a later refusal is temporary.
    if (kind === "refused" && !this.#answered) this.current.fail(problem);
    else this.#retry(problem);
  }

  #retry(problem: string): void {
    this.#stopFetching = this.#options.timers.delay(this.#backOff.next(), () => this.#fetch());
    this.current.complain(problem);
  }

  #receive(bytes: Buffer): void {
    this.#answered = true;
    const context = readX509Context(bytes, this.#options.purpose);
    // This comes after decoding: a message that can't be decoded must not cancel a pending earlier one.
    this.#stopSettling();
    this.#backOff.reset();
    if (this.#lacksSomething(context)) this.#takeLater(SETTLE_MS, context);
    else this.#take(context);
  }

  #lacksSomething({ svids }: X509Context): boolean {
    const { state } = this.current;
    if (state.kind !== "ready") return false;
    return svids.length < this.#offered || !svids.some(({ svid }) => svid.id.equals(state.snapshot.svid.id));
  }

  /** Adopts a message after `ms` milliseconds, unless another one arrives before. */
  #takeLater(ms: number, context: X509Context): void {
    this.#stopSettling = this.#options.timers.delay(ms, () => this.#judging(() => this.#take(context)));
  }

  #take(context: X509Context): void {
    const chosen = this.#choose(context);
    this.#offered = context.svids.length;
    this.#inUse = chosen.svid.id;
    this.#adopt(chosen, context);
  }

  #choose(context: X509Context): ChosenSvid {
    const { selection, timers, purpose } = this.#options;
    try {
      return chooseSvid(context, { selection, inUse: this.#inUse, now: timers.clock(), purpose });
    } catch (error) {
      // The SVID may become valid, or the clock may be corrected, and the agent does not send the message again.
      if (error instanceof UntimelySvid) this.#takeLater(UNTIMELY_MS, context);
      throw error;
    }
  }

  #adopt(chosen: ChosenSvid, context: X509Context): void {
    const { svid, bundle, validUntil } = chosen;
    const { timers } = this.#options;
    const now = timers.clock();
    const { bundles, problems, until } = this.#federation.choose(context, now, validUntil);
    const all = new Map([[bundle.trustDomain.name, bundle] as const, ...bundles]);
    this.current.adopt({ svid, validUntil, bundles: all }, ...problems);
    this.#stopKeeping();
    if (until === undefined || now > validUntil) return;
    const pause = Math.min(until + 1 - now, LOOK_MS);
    this.#stopKeeping = timers.delay(pause, () => timers.clock() <= validUntil && this.#adopt(chosen, context));
  }

  /**
   * Calls `use`, which throws a MaterialError if the message can't be used. Reports its problems; nothing of the message
   * is adopted (Workload API 4.5).
   */
  #judging(use: () => void): void {
    try {
      use();
    } catch (error) {
      if (!(error instanceof MaterialError)) throw error;
      const where = `a message of the Workload API at ${this.#options.endpoint.text} is discarded`;
      this.current.complain(...error.problems.map((problem) => `${where}: ${problem}`));
    }
  }
}
