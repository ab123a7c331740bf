import type { Timers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { LogFields, Logger } from "./logger.ts";

/** Lines of one event and reason that are written in a second, of one caller where they are about one. */
const LINES_PER_SECOND = 10;

/** The same of all callers of one trust domain: the holder of its authority can make any number of callers. */
const LINES_PER_SECOND_OF_A_DOMAIN = 1000;

/** Events and reasons that are told apart. Both are closed sets far below it; it bounds memory if one is not. */
const MAX_KINDS = 256;

/** Callers that are told apart. Beyond it the one that was silent for longest is forgotten. */
const MAX_CALLERS = 4096;

/** A count is written after this time, in milliseconds, unless a line has had it before. */
const SUMMARY_MS = 10_000;

/** Writes lines that peers can cause, and so as many as they like: refused connections and denied calls. */
export interface LimitedLog {
  /**
   * Writes the line at info, or counts it; what was counted is the `suppressed` of the next line of its kind. Lines about
   * a caller are limited for each caller apart, so that none of them can hide what another one does.
   */
  info(event: string, reason: string, fields?: LogFields, caller?: SpiffeId): void;
  /** The same at error, for faults of the server that callers can repeat. */
  error(event: string, reason: string, fields?: LogFields): void;
  /** Writes a line for each count that no later line has reported. For the end; it happens by itself now and then. */
  summarize(): void;
}

/** Limits the lines that go to `log`. */
export function limitLines(log: Logger, timers: Timers): LimitedLog {
  return new Limiter(log, timers);
}

/** Lines of one kind: how many were written in this second, and how many were left out since the last one. */
class Kind {
  readonly event: string;
  readonly reason: string;
  /** Whom it is about. */
  readonly about: LogFields;
  readonly #most: number;
  #second = Number.NaN;
  #written = 0;
  suppressed = 0;

  constructor(event: string, reason: string, about: LogFields, most: number) {
    this.event = event;
    this.reason = reason;
    this.about = about;
    this.#most = most;
  }

  admits(second: number): boolean {
    // Not "later than": a clock that was set back must not silence a kind until it has caught up.
    if (this.#second !== second) this.#written = 0;
    this.#second = second;
    return this.#written++ < this.#most;
  }

  /** The count, which begins again. */
  take(): LogFields {
    const { suppressed } = this;
    this.suppressed = 0;
    return suppressed === 0 ? {} : { suppressed };
  }
}

/** What limits the lines about one caller: its own kind, and that of its trust domain. */
type CallerKinds = readonly [own: Kind, crowd: Kind];

class Limiter implements LimitedLog {
  readonly #log: Logger;
  readonly #timers: Timers;
  /** Without a caller, or of all callers of a trust domain. */
  readonly #kinds = new Map<string, Kind>();
  /** By caller; the one that was silent for longest first. */
  readonly #callers = new Map<string, CallerKinds>();
  #cancelSummary: (() => void) | undefined;

  constructor(log: Logger, timers: Timers) {
    this.#log = log;
    this.#timers = timers;
  }

  info(event: string, reason: string, fields?: LogFields, caller?: SpiffeId): void {
    this.#write(
      "info",
      caller === undefined ? [this.#kindOf(event, reason)] : this.#kindsOf(event, reason, caller),
      fields,
    );
  }

  error(event: string, reason: string, fields?: LogFields): void {
    this.#write("error", [this.#kindOf(event, reason)], fields);
  }

  summarize(): void {
    this.#cancelSummary?.();
    this.#cancelSummary = undefined;
    for (const kind of [...this.#kinds.values(), ...Array.from(this.#callers.values(), ([own]) => own)]) {
      if (kind.suppressed === 0) continue;
      const { event: detail, reason, about } = kind;
      this.#log.info("lines suppressed", { detail, reason, ...about, ...kind.take() });
    }
  }

  /** The line is written if all of its kinds admit it, and is counted by the first of them. */
  #write(level: "info" | "error", kinds: readonly [Kind, ...Kind[]], fields?: LogFields): void {
    const log = this.#log;
    const second = Math.floor(this.#timers.clock() / 1000);
    const [kind] = kinds;
    if (kinds.every((each) => each.admits(second))) {
      log[level](kind.event, { ...fields, reason: kind.reason, ...kind.take() });
      return;
    }
    kind.suppressed++;
    this.#cancelSummary ??= this.#timers.delay(SUMMARY_MS, () => this.summarize());
  }

  #kindOf(event: string, reason: string): Kind {
    return this.#keep([event, reason], () => new Kind(event, reason, {}, LINES_PER_SECOND));
  }

  #crowdOf(event: string, reason: string, { trustDomain: { name } }: SpiffeId): Kind {
    const about = { trust_domain: name };
    return this.#keep([event, reason, name], () => new Kind(event, reason, about, LINES_PER_SECOND_OF_A_DOMAIN));
  }

  /** The kinds beyond the bound share one limit. */
  #keep(names: readonly string[], make: () => Kind): Kind {
    const own = names.join("\0");
    const key = this.#kinds.has(own) || this.#kinds.size < MAX_KINDS ? own : "";
    const kind = this.#kinds.get(key) ?? make();
    this.#kinds.set(key, kind);
    return kind;
  }

  #kindsOf(event: string, reason: string, caller: SpiffeId): CallerKinds {
    const key = [event, reason, caller].join("\0");
    const kinds = this.#callers.get(key) ?? this.#newCaller(event, reason, caller);
    this.#callers.delete(key);
    this.#callers.set(key, kinds);
    if (this.#callers.size > MAX_CALLERS) this.#forgetOne();
    return kinds;
  }

  #newCaller(event: string, reason: string, caller: SpiffeId): CallerKinds {
    const own = new Kind(event, reason, { spiffe_id: caller.toString() }, LINES_PER_SECOND);
    return [own, this.#crowdOf(event, reason, caller)];
  }

  /** Its count goes to its trust domain: a line for each caller that is forgotten would be as many lines again. */
  #forgetOne(): void {
    const [oldest] = this.#callers;
    if (oldest === undefined) return;
    const [key, [own, crowd]] = oldest;
    this.#callers.delete(key);
    crowd.suppressed += own.suppressed;
  }
}
