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
 * How long a list that lacks something waits for a fuller one, in milliseconds. When an authority is tainted, SPIRE's
 * agent first sends only the SVIDs that it has renewed so far, and all of them 2 ms later. Short enough that a trust
 * domain that is removed along with an SVID is out within a second.
 */
const SETTLE_MS = 250;

/** How soon a message is looked at again whose SVID has expired or is not valid yet, in milliseconds. */
const UNTIMELY_MS = 1000;

/** How often it is looked whether bundles that stand in for others still may, in milliseconds: the clock may be set. */
const LOOK_MS = 60_000;

/** What a source of this kind needs. */
export interface WorkloadApiOptions {
  readonly endpoint: Endpoint;
  readonly selection: Selection;
  /** What the SVID must be good for. */
  readonly purpose: Purpose;
  readonly timers: Timers;
  /** Numbers from 0 up to but not including 1, which spread the attempts; Math.random by default. */
  readonly random?: () => number;
}

/**
 * The identity that the SPIFFE Workload API gives to this process, followed over one long stream. Each message replaces
 * everything; one that can't be used changes nothing, and what is wrong with the bundle of another trust domain concerns
 * that one alone. When the stream is lost, or the API has no identity for us any more, what there is stays in use until
 * it expires.
 */
export class WorkloadApiSource extends FollowedSource {
  readonly #options: WorkloadApiOptions;
  readonly #backOff: BackOff;
  readonly #federation = new Federation();
  /** How many SVIDs there were where the current one comes from. */
  #offered = 0;
  /** The SPIFFE ID of the current one, or of the last one that there was. */
  #inUse: SpiffeId | undefined;
  /** Whether a message has ever come. */
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

  /** Begins to fetch. Nothing is ready yet: see whenReady. */
  static open(options: WorkloadApiOptions): WorkloadApiSource {
    const source = new WorkloadApiSource(options);
    source.#fetch();
    return source;
  }

  /** A new stream begins with all there is, and an attempt that was to wait begins at once. */
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
    this.#stopFetching = openSvidStream(this.#options.endpoint, {
      onMessage: (bytes) => this.#judging(() => this.#receive(bytes)),
      onEnd: (end) => this.#onEnd(end),
    });
  }

  #onEnd({ kind, problem }: StreamEnd): void {
    // A list that was still waiting for the rest is not acted on: the next stream begins with all there is.
    this.#stopSettling();
    // Whoever has answered once has shown that the request is right: what it says now is of the moment.
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
    // Not before: a message that is discarded must not take the one before with it.
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

  /** Looks at a message again after `ms` milliseconds, unless another one comes before. */
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
      // Its time may come, or the clock be set right; the agent sends it once.
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

  /** A message that can't be used is discarded whole and reported (Workload API 4.5). */
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
