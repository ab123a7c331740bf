import { type ReportRequest, ReportState } from "../contract/messages.ts";
import { KeyedQueue } from "../domain/keyed-queue.ts";
import { ClientError } from "./client-error.ts";
import type { SecretGone } from "./secret-events.ts";

/** What a workload does with a version: it has received it, or it uses it and no older one. */
export type ReportedState = "received" | "in-use";

const STATES: Readonly<Record<ReportedState, number>> = { received: ReportState.received, "in-use": ReportState.inUse };

/** How many reports are sent at a time. */
const SENDERS = 4;

/** Sends one report. Rejects with {@link ClientError}. */
type SendReport = (request: ReportRequest) => Promise<unknown>;

/** The last report of one path and state. */
interface Report {
  readonly path: string;
  readonly state: ReportedState;
  /** 0 if a version is in use that the store does not have. */
  version: number;
  /**
   * "idle": sent, or failed. "over limit": refused until the next stream, because of a limit. "queued": waits for a
   * sender. "sending": a sender has it. "changed": a sender has it, and it has to be sent again. Two senders at a time
   * could deliver it in the other order.
   */
  progress: "idle" | "over limit" | "queued" | "sending" | "changed";
  /** Called when it was sent, with the error if the server refused it. */
  waiting: ((error: unknown) => void)[];
}

/**
 * The reports of one watch. The server forgets them at the end of a stream, so they are sent again on the next one. Each
 * path has one report: the last version in use, or else the last one received. On the next stream, a received version that
 * arrives before the one in use would count as used, and a destroy of the version in use would succeed in between.
 */
export class WatchReports {
  readonly #instance: string;
  readonly #send: SendReport;
  readonly #reports = new Map<string, Report>();
  readonly #queued = new KeyedQueue<Report, Report>();
  /** Those that could not be sent, and were not refused. */
  readonly #failed = new Set<Report>();
  /** The watch_id of the stream; undefined if there is none, or if it is not known yet. */
  #watchId: string | undefined;
  #senders = 0;

  constructor(instance: string, send: SendReport) {
    this.#instance = instance;
    this.#send = send;
  }

  /**
   * Remembers a report, and sends it if there is a stream and the server does not have it. Resolves when it was sent, or
   * will be sent later. Rejects with {@link ClientError} if the server refuses it.
   */
  report(path: string, version: number, state: ReportedState): Promise<void> {
    // It would have no effect: the server counts the version in use.
    if (state === "received" && this.#reports.has(keyOf({ path, state: "in-use" }))) return Promise.resolve();
    if (state === "in-use") this.#forget({ path, state: "received" });
    const report = this.#reportOf(path, state);
    if (report.version === version && this.#isSent(report)) return Promise.resolve();
    report.version = version;
    if (this.#watchId === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      report.waiting.push((error) => (error === undefined ? resolve() : reject(error)));
      this.#enqueue(report);
    });
  }

  /**
   * A secret is gone. Only a purge ends the use of a version: otherwise the secret can come back, and a version that is
   * then received must not count before the one in use.
   */
  gone({ path, reason }: SecretGone): void {
    this.#forget({ path, state: "received" });
    if (reason === "purged") this.#forget({ path, state: "in-use" });
  }

  /**
   * The version numbers of a secret now name other versions, see {@link WatchView}. The version in use has no number any
   * more, so it is not reported. A version that is then received must not count before the workload uses it.
   */
  replaced(path: string): void {
    this.#forget({ path, state: "received" });
    const inUse = this.#reports.get(keyOf({ path, state: "in-use" }));
    if (inUse !== undefined) inUse.version = 0;
  }

  /** A stream has begun. Sends everything again. */
  connected(watchId: string): void {
    this.#watchId = watchId;
    this.#failed.clear();
    for (const report of this.#reports.values()) this.#enqueue(report);
  }

  /** The stream is alive. Sends again what could not be sent. */
  alive(): void {
    for (const report of this.#failed) this.#enqueue(report);
    this.#failed.clear();
  }

  /** The stream is over. */
  disconnected(): void {
    this.#watchId = undefined;
  }

  #reportOf(path: string, state: ReportedState): Report {
    const key = keyOf({ path, state });
    const report = this.#reports.get(key) ?? { path, state, version: 0, progress: "idle", waiting: [] };
    this.#reports.set(key, report);
    return report;
  }

  #forget(named: Pick<Report, "path" | "state">): void {
    const report = this.#reports.get(keyOf(named));
    if (report !== undefined) this.#remove(report);
  }

  /** Removes a report, unless a newer one has its place. */
  #remove(report: Report): void {
    this.#failed.delete(report);
    if (this.#isCurrent(report)) this.#reports.delete(keyOf(report));
  }

  /** Whether the server has the report, or will get it with the next stream. */
  #isSent(report: Report): boolean {
    return report.progress === "idle" && !this.#failed.has(report);
  }

  #isCurrent(report: Report): boolean {
    return this.#reports.get(keyOf(report)) === report;
  }

  #enqueue(report: Report): void {
    if (report.progress === "sending") report.progress = "changed";
    if (report.progress !== "idle" && report.progress !== "over limit") return;
    report.progress = "queued";
    this.#queued.put(report, report);
    if (this.#senders < SENDERS) void this.#sendQueued();
  }

  async #sendQueued(): Promise<void> {
    this.#senders += 1;
    for (let next = this.#queued.take(); next !== undefined; next = this.#queued.take()) await this.#process(next[1]);
    this.#senders -= 1;
  }

  async #process(report: Report): Promise<void> {
    report.progress = "sending";
    const waiting = report.waiting.splice(0);
    const refusal = await this.#attempt(report);
    const hasChanged = (report.progress as Report["progress"]) === "changed";
    report.progress = "idle";
    for (const sent of waiting) sent(refusal);
    if (hasChanged) this.#enqueue(report);
    else if (isOverLimit(refusal)) report.progress = "over limit";
    else if (refusal !== undefined) this.#remove(report);
  }

  /**
   * Sends a report, unless there is no stream, or the secret or its version is gone. Returns the error with which it was
   * refused.
   */
  async #attempt(report: Report): Promise<unknown> {
    const { path, state, version } = report;
    const watchId = this.#watchId;
    if (watchId === undefined || version === 0 || !this.#isCurrent(report)) return undefined;
    try {
      await this.#send({ path, version, watchId, state: STATES[state], instance: this.#instance });
    } catch (error) {
      if (!(error instanceof ClientError) || isRefusal(error)) return error;
      // Only a change of the rules helps, and SYNCED follows it.
      if (error.code !== "PERMISSION_DENIED") this.#failed.add(report);
    }
    return undefined;
  }
}

function keyOf({ path, state }: Pick<Report, "path" | "state">): string {
  return `${state} ${path}`;
}

/**
 * Whether the server has too many reports, which can be those of other workloads. The next stream may find space. The report
 * must be kept until then: otherwise a version that the workload then receives would count before the one in use.
 */
function isOverLimit(refusal: unknown): boolean {
  return refusal instanceof ClientError && refusal.reason === "LIMIT_EXCEEDED";
}

/** Whether the server would refuse the same report again. */
function isRefusal({ code }: ClientError): boolean {
  return code === "INVALID_ARGUMENT" || code === "UNIMPLEMENTED" || code === "CANCELLED";
}
