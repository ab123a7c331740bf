import type { Timers } from "../domain/timers.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import type { LogFields, Logger } from "./logger.ts";

/**
 * The maximum number of lines in a second for each event and reason, and for lines about callers also for each caller.
 * With several fronts, each has this limit. If each had only a part of it, denials of a caller whose only connection is
 * on one front would be hidden. A process with n fronts writes at most n times as many.
 */
const LINES_PER_SECOND = 10;

/**
 * The maximum for all callers of one trust domain, because an attacker with a CA of the domain can create any number of
 * callers.
 */
const LINES_PER_SECOND_OF_A_DOMAIN = 1000;

/**
 * The maximum number of separate limits for events, reasons and trust domains. All of them are small sets; this bounds
 * the memory in any case.
 */
const MAX_KINDS = 256;

/** The number of callers with separate limits. Beyond it, the caller without a line for the longest time is removed. */
const MAX_CALLERS = 4096;

/** After this time in milliseconds, a count is written in a summary, unless a line has reported it before. */
const SUMMARY_MS = 10_000;

/** Writes lines that peers can cause at will, such as refused connections and denied calls. */
export interface LimitedLog {
  /**
   * Writes the line at info, or counts it as suppressed. The next line of its kind reports the count in `suppressed`.
   * Lines about callers are limited for each caller separately, so that no caller can hide the lines about another.
   */
  info(event: string, reason: string, fields?: LogFields, caller?: SpiffeId): void;
  /** As {@link info}, at level error, for failures of the server that callers can cause repeatedly. */
  error(event: string, reason: string, fields?: LogFields): void;
  /** Writes a line for each count that no later line has reported. Called at shutdown; it also runs regularly. */
  summarize(): void;
}

/** Limits the lines that go to `log`. */
export function limitLines(log: Logger, timers: Timers): LimitedLog {
  return new Limiter(log, timers);
}

/** The limit of one kind of line: the lines written in this second, and the lines suppressed since the last one. */
class Kind {
  readonly event: string;
  readonly reason: string;
  /** The fields that name the caller or the trust domain. */
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
    // Compares for inequality: with "later than", a clock that was set back would suppress lines until it has caught
    // up.
    if (this.#second !== second) this.#written = 0;
    this.#second = second;
    return this.#written++ < this.#most;
  }

  /** Returns the count and resets it. */
  take(): LogFields {
    const { suppressed } = this;
    this.suppressed = 0;
    return suppressed === 0 ? {} : { suppressed };
  }
}

/** The limits of the lines about one caller: its own, and that of its trust domain. */
type CallerKinds = readonly [own: Kind, domain: Kind];

class Limiter implements LimitedLog {
  readonly #log: Logger;
  readonly #timers: Timers;
  /** The kinds of lines without a caller, and those of all callers of a trust domain. */
  readonly #kinds = new Map<string, Kind>();
  /** By event, reason and caller. The entry without a line for the longest time is the first. */
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
      this.#log.info("log lines suppressed", { detail, reason, ...about, ...kind.take() });
    }
  }

  /** Writes the line if all of its kinds admit it. Otherwise the first of them counts it. */
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
    return this.#kindFor([event, reason], () => new Kind(event, reason, {}, LINES_PER_SECOND));
  }

  #domainOf(event: string, reason: string, { trustDomain: { name } }: SpiffeId): Kind {
    const about = { trust_domain: name };
    return this.#kindFor([event, reason, name], () => new Kind(event, reason, about, LINES_PER_SECOND_OF_A_DOMAIN));
  }

  /** Returns the kind with these names. All kinds beyond {@link MAX_KINDS} share one. */
  #kindFor(names: readonly string[], make: () => Kind): Kind {
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
    if (this.#callers.size > MAX_CALLERS) this.#removeOldest();
    return kinds;
  }

  #newCaller(event: string, reason: string, caller: SpiffeId): CallerKinds {
    const own = new Kind(event, reason, { spiffe_id: caller.toString() }, LINES_PER_SECOND);
    return [own, this.#domainOf(event, reason, caller)];
  }

  /**
   * Removes the caller without a line for the longest time, and adds its count to that of its trust domain. A line for
   * each removed caller would exceed the limit again.
   */
  #removeOldest(): void {
    const [oldest] = this.#callers;
    if (oldest === undefined) return;
    const [key, [own, domain]] = oldest;
    this.#callers.delete(key);
    domain.suppressed += own.suppressed;
  }
}
