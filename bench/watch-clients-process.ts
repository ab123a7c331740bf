import { setTimeout as sleep } from "node:timers/promises";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";
import { VALUE_BYTES, secretPath } from "./request.ts";
import { StreamClient } from "./stream-client.ts";
import type { Deliveries, WatchJob } from "./watch-job.ts";
import { type WatchedChange, putOf, watchCall } from "./watch-stream.ts";

// A process of watchers, each on a connection of its own, and of one client that makes the changes.

/** The number of connections that are opened at a time. */
const AT_A_TIME = 25;

/** How long a delivery may take after the last change, in milliseconds. */
const TIMEOUT_MS = 10_000;

// Consecutive changes are of secrets that are far apart.
const STRIDE = 7919;

takeJob<WatchJob, Deliveries>(async (job) => {
  const changes = new Changes(job, await StreamClient.open(job.target));
  await changes.openWatches();
  const end = performance.now() + job.warmUpMs + job.measuredMs;
  setTimeout(() => changes.measure(), job.warmUpMs);
  const { perSecond } = job;
  if (perSecond === undefined) while (performance.now() < end) await changes.makeOne();
  else await makePaced(changes, perSecond, end);
  return changes.result();
});

/** Begins changes at a fixed pace, whether or not earlier ones were delivered. */
async function makePaced(changes: Changes, perSecond: number, end: number): Promise<void> {
  const start = performance.now();
  for (let begun = 1; performance.now() < end; begun++) {
    void changes.begin();
    const next = start + (begun * 1000) / perSecond;
    if (next > performance.now()) await sleep(next - performance.now());
  }
}

/** A change that was begun during the measurement. */
interface Begun {
  readonly at: number;
  /** The number of watchers that are to receive it. */
  readonly due: number;
  readonly delivered: () => void;
  received: number;
}

/** Makes changes, and measures when they are answered and delivered. */
class Changes {
  readonly #job: WatchJob;
  readonly #writer: StreamClient;
  readonly #delivered: Meter;
  readonly #answered: Meter;
  /** By path and value. */
  readonly #begun = new Map<string, Begun>();
  readonly #open = new Set<Promise<void>>();
  #number = 0;
  #due = 0;
  #isMeasured = false;

  constructor(job: WatchJob, writer: StreamClient) {
    this.#job = job;
    this.#writer = writer;
    this.#delivered = new Meter(job.target.pid);
    this.#answered = new Meter(job.target.pid);
  }

  async openWatches(): Promise<void> {
    const { ofOnePath, ofAll } = this.#job;
    const watched = [
      ...Array.from({ length: ofOnePath }, (_, n) => secretPath(n)),
      ...Array.from({ length: ofAll }, () => undefined),
    ];
    for (let i = 0; i < watched.length; i += AT_A_TIME)
      await Promise.all(watched.slice(i, i + AT_A_TIME).map((path) => this.#watch(path)));
  }

  /** Measures the changes that begin from now on. */
  measure(): void {
    this.#isMeasured = true;
    this.#delivered.start();
    this.#answered.start();
  }

  /** Begins a change. Resolves when it was delivered to every watcher, or when it has failed. */
  begin(): Promise<void> {
    const done = this.#change(this.#number++);
    this.#open.add(done);
    return done.finally(() => this.#open.delete(done));
  }

  /** Makes a change, and waits until it was delivered. */
  makeOne(): Promise<void> {
    return Promise.race([this.begin(), sleep(TIMEOUT_MS)]);
  }

  /** The result, when every change was delivered. Throws if one has failed. */
  async result(): Promise<Deliveries> {
    await Promise.race([Promise.all(this.#open), sleep(TIMEOUT_MS)]);
    this.#delivered.stop();
    this.#answered.stop();
    const [delivered, answered] = [this.#delivered.result(), this.#answered.result()];
    const [failure] = Object.keys(answered.errors);
    if (failure !== undefined) throw new Error(`changes failed: ${failure}`);
    return { due: this.#due, delivered, answered };
  }

  async #watch(path: string | undefined): Promise<void> {
    const { target } = this.#job;
    const client = await StreamClient.open(target);
    await new Promise<void>((onSynced, reject) => {
      const onChange = (change: WatchedChange) => this.#receive(change);
      const onEnd = () => reject(new Error("a watch has ended"));
      client.call({ ...watchCall(target.protocol, path, { onSynced, onChange }), onEnd });
    });
  }

  async #change(number: number): Promise<void> {
    const { secrets, ofOnePath, ofAll, target } = this.#job;
    const n = (number * STRIDE) % secrets;
    const [path, value] = [secretPath(n), `value ${number} `.padEnd(VALUE_BYTES, ".")];
    const due = ofAll + (n < ofOnePath ? 1 : 0);
    const at = performance.now();
    const delivered = new Promise<void>((resolve) => {
      if (!this.#isMeasured || due === 0) resolve();
      else this.#begun.set(keyOf(path, value), { at, due, delivered: resolve, received: 0 });
    });
    if (this.#isMeasured) this.#due += due;
    this.#answered.record(await this.#writer.callOnce(...putOf(target.protocol, path, value)), at);
    await delivered;
  }

  #receive({ path, value }: WatchedChange): void {
    const begun = this.#begun.get(keyOf(path, value));
    if (begun === undefined) return;
    this.#delivered.record({ kind: "ok" }, begun.at);
    begun.received += 1;
    if (begun.received < begun.due) return;
    this.#begun.delete(keyOf(path, value));
    begun.delivered();
  }
}

function keyOf(path: string, value: string): string {
  return `${path} ${value}`;
}
