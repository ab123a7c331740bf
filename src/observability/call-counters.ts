import { APPLIED, type Reason } from "../contract/reasons.ts";
import { CODE_LABELS } from "./code-labels.ts";
import { type DistributionReading, bucketOf } from "./distribution.ts";

// In seconds. A Get takes a tenth of a millisecond; a commit on a failing disk can take seconds.
const CALL_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** The number of UNKNOWN. The gRPC protocol treats a status that does not exist as UNKNOWN. */
const UNKNOWN_CODE = 2;

const CODES = CODE_LABELS.length;

// The numbers of one method: the calls by code, by duration (the last bucket has no upper bound), and their total
// duration.
const BUCKETS_AT = CODES;
const SUM_AT = BUCKETS_AT + CALL_BUCKETS.length + 1;
const METHOD_LENGTH = SUM_AT + 1;

const REASONS = Object.keys(APPLIED) as readonly Reason[];
const REASON_NUMBERS = new Map(REASONS.map((reason, number) => [reason, number]));

// A region fills whole cache lines of 64 bytes, so that two fronts do not write to the same line.
const NUMBERS_IN_A_LINE = 8;

/** The series of the counters of calls and connections. */
export interface CounterNames {
  /** The full names of the methods, as in /coffer.v1.Secrets/Get. A method is counted by its position here. */
  readonly methods: readonly string[];
  /** All possible reasons why a connection can be refused. */
  readonly refusals: readonly string[];
}

/** The calls of one method. */
export interface MethodReading {
  /** The full name of the method. */
  readonly method: string;
  /** The calls by the number of their gRPC status. */
  readonly codes: readonly number[];
  /** The durations of the calls, in seconds. */
  readonly durations: DistributionReading;
}

/** The connections of all fronts. */
export interface ConnectionNumbers {
  /** The open connections, in handshake or served. */
  open: number;
  /** The connections whose handshake is not complete. */
  inProgress: number;
  /** The handshakes that have begun since the start. */
  begun: number;
}

/** The watches of one front. */
export interface WatchNumbers {
  /** The open watches. */
  watches: number;
  /** The events about a secret that were sent since the start. */
  events: number;
}

/**
 * The counters of calls, connections and watches of every front, as numbers in shared memory. Each front writes to its own region
 * by plain stores; the metrics sum the regions at each scrape. So a call costs a few additions, without labels, lookups
 * or messages between threads. A reader can miss what was counted in the last moment, but it never sees a counter
 * decrease: only one thread writes a number, and 64-bit machines write an aligned number of 64 bits atomically.
 */
export class CallCounters {
  /** The memory, which can be passed to the thread of a front. */
  readonly memory: SharedArrayBuffer;
  readonly #layout: Layout;
  readonly #regions: readonly Float64Array[];

  /** Counters in the memory of another thread's `CallCounters` with the same names. */
  constructor(names: CounterNames, memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#layout = layoutOf(names);
    const { length } = this.#layout;
    const bytes = length * Float64Array.BYTES_PER_ELEMENT;
    const fronts = memory.byteLength / bytes;
    this.#regions = Array.from({ length: fronts }, (_, front) => new Float64Array(memory, front * bytes, length));
  }

  /** New counters for `fronts` fronts, all zero. */
  static of(names: CounterNames, fronts: number): CallCounters {
    const bytes = layoutOf(names).length * Float64Array.BYTES_PER_ELEMENT;
    return new CallCounters(names, new SharedArrayBuffer(fronts * bytes));
  }

  /** The number of fronts. */
  get fronts(): number {
    return this.#regions.length;
  }

  /** The counters of one front. Only its thread may write to them. Throws a RangeError if there is no such front. */
  of(front: number): FrontCounters {
    const region = this.#regions[front];
    if (region === undefined) throw new RangeError(`there are counters for ${this.#regions.length} fronts only`);
    return new FrontCounters(this.#layout, region);
  }

  /** The calls of each method. */
  calls(): readonly MethodReading[] {
    return this.#layout.names.methods.map((method, number) => {
      const at = number * METHOD_LENGTH;
      return {
        method,
        codes: this.#sums(at, CODES),
        durations: {
          bounds: CALL_BUCKETS,
          counts: this.#sums(at + BUCKETS_AT, CALL_BUCKETS.length + 1),
          sum: this.#sum(at + SUM_AT),
        },
      };
    });
  }

  /** The number of calls that ended with each reason. */
  errors(): readonly (readonly [reason: string, count: number])[] {
    return REASONS.map((reason, number) => [reason, this.#sum(this.#layout.reasonsAt + number)]);
  }

  /** The number of connections that were refused for each reason. */
  refusals(): readonly (readonly [reason: string, count: number])[] {
    return this.#layout.names.refusals.map((reason, number) => [reason, this.#sum(this.#layout.refusalsAt + number)]);
  }

  /** The connections at this moment. */
  connections(): Readonly<ConnectionNumbers> {
    const [open = 0, inProgress = 0, begun = 0] = this.#sums(this.#layout.connectionsAt, CONNECTION_COUNTS);
    return { open, inProgress, begun };
  }

  /** The watches of each front, in the order of their numbers. */
  watches(): readonly Readonly<WatchNumbers>[] {
    const { watchesAt } = this.#layout;
    return this.#regions.map((region) => ({ watches: region[watchesAt] ?? 0, events: region[watchesAt + 1] ?? 0 }));
  }

  #sums(at: number, length: number): number[] {
    return Array.from({ length }, (_, index) => this.#sum(at + index));
  }

  #sum(at: number): number {
    return this.#regions.reduce((sum, region) => sum + (region[at] ?? 0), 0);
  }
}

/** The counters that one front writes. */
export class FrontCounters implements ConnectionNumbers, WatchNumbers {
  readonly #region: Float64Array;
  readonly #reasonsAt: number;
  readonly #refusalsAt: number;
  readonly #connectionsAt: number;
  readonly #watchesAt: number;
  readonly #refusals: ReadonlyMap<string, number>;

  constructor({ names, reasonsAt, refusalsAt, connectionsAt, watchesAt }: Layout, region: Float64Array) {
    this.#region = region;
    this.#reasonsAt = reasonsAt;
    this.#refusalsAt = refusalsAt;
    this.#connectionsAt = connectionsAt;
    this.#watchesAt = watchesAt;
    this.#refusals = new Map(names.refusals.map((reason, number) => [reason, number]));
  }

  /**
   * A call ended. `method` is its position in {@link CounterNames}, `code` the number of its gRPC status, and `seconds`
   * the time since its arrival.
   */
  handled(method: number, code: number, seconds: number): void {
    const at = method * METHOD_LENGTH;
    this.#add(at + (code < CODES ? code : UNKNOWN_CODE), 1);
    this.#add(at + BUCKETS_AT + bucketOf(CALL_BUCKETS, seconds), 1);
    this.#add(at + SUM_AT, seconds);
  }

  /** A call ended with a CofferError. Its code alone does not distinguish a full disk from a caller over its budget. */
  failed(reason: Reason): void {
    this.#add(this.#reasonsAt + (REASON_NUMBERS.get(reason) ?? 0), 1);
  }

  /** A connection was refused. Throws a RangeError if `reason` is not one of the closed set of refusals. */
  refused(reason: string): void {
    const number = this.#refusals.get(reason);
    if (number === undefined) throw new RangeError(`${reason} is not a reason of refusals`);
    this.#add(this.#refusalsAt + number, 1);
  }

  set open(count: number) {
    this.#region[this.#connectionsAt] = count;
  }

  set inProgress(count: number) {
    this.#region[this.#connectionsAt + 1] = count;
  }

  set begun(count: number) {
    this.#region[this.#connectionsAt + 2] = count;
  }

  set watches(count: number) {
    this.#region[this.#watchesAt] = count;
  }

  get events(): number {
    return this.#region[this.#watchesAt + 1] ?? 0;
  }

  set events(count: number) {
    this.#region[this.#watchesAt + 1] = count;
  }

  #add(at: number, amount: number): void {
    this.#region[at] = (this.#region[at] ?? 0) + amount;
  }
}

const CONNECTION_COUNTS = 3;
const WATCH_COUNTS = 2;

/**
 * The positions of the numbers in a region: those of the methods, then those of reasons, refusals, connections and
 * watches.
 */
interface Layout {
  readonly names: CounterNames;
  readonly reasonsAt: number;
  readonly refusalsAt: number;
  readonly connectionsAt: number;
  readonly watchesAt: number;
  readonly length: number;
}

function layoutOf(names: CounterNames): Layout {
  const reasonsAt = names.methods.length * METHOD_LENGTH;
  const refusalsAt = reasonsAt + REASONS.length;
  const connectionsAt = refusalsAt + names.refusals.length;
  const watchesAt = connectionsAt + CONNECTION_COUNTS;
  const used = watchesAt + WATCH_COUNTS;
  const length = Math.ceil(used / NUMBERS_IN_A_LINE) * NUMBERS_IN_A_LINE;
  return { names, reasonsAt, refusalsAt, connectionsAt, watchesAt, length };
}
