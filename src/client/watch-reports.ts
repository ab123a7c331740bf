import { type ReportRequest, ReportState } from "../contract/messages.ts";
import { ClientError } from "./client-error.ts";

/** What a workload does with a version: it has received it, or it uses it. */
export type ReportedState = "received" | "in-use";

const STATES: Readonly<Record<ReportedState, number>> = { received: ReportState.received, "in-use": ReportState.inUse };

type Version = Pick<ReportRequest, "path" | "version" | "state">;

/** Sends one report. Rejects with {@link ClientError}. */
export type SendReport = (request: ReportRequest) => Promise<unknown>;

/**
 * The reports of one watch. The server forgets them at the end of a stream, so they are sent again on the next one. Its
 * memory is proportional to the number of paths.
 */
export class WatchReports {
  readonly #instance: string;
  readonly #send: SendReport;
  /** The last report of each path and state. */
  readonly #reports = new Map<string, Version>();
  /** The watch_id of the stream; undefined if there is none, or if it is not known yet. */
  #watchId: string | undefined;

  constructor(instance: string, send: SendReport) {
    this.#instance = instance;
    this.#send = send;
  }

  /**
   * Remembers a report, and sends it if there is a stream. Rejects with {@link ClientError} if the server refuses it.
   */
  async report(path: string, version: number, state: ReportedState): Promise<void> {
    const report = { path, version, state: STATES[state] };
    const key = `${state} ${path}`;
    this.#reports.set(key, report);
    try {
      await this.#deliver(report);
    } catch (error) {
      if (this.#reports.get(key) === report) this.#reports.delete(key);
      throw error;
    }
  }

  /** Forgets the reports of a secret that is gone. */
  forget(path: string): void {
    for (const state of Object.keys(STATES)) this.#reports.delete(`${state} ${path}`);
  }

  /** A stream has begun. Sends everything again. */
  async connected(watchId: string): Promise<void> {
    this.#watchId = watchId;
    for (const report of [...this.#reports.values()]) {
      if (this.#watchId !== watchId) return;
      await this.#deliver(report).catch(() => {});
    }
  }

  /** The stream is over. */
  disconnected(): void {
    this.#watchId = undefined;
  }

  async #deliver(report: Version): Promise<void> {
    if (this.#watchId === undefined) return;
    try {
      await this.#send({ ...report, watchId: this.#watchId, instance: this.#instance });
    } catch (error) {
      if (!(error instanceof ClientError) || isRefusal(error)) throw error;
    }
  }
}

/** Whether the server would refuse the same report again. After any other error, the next stream sends it again. */
function isRefusal({ code }: ClientError): boolean {
  return code === "INVALID_ARGUMENT" || code === "UNIMPLEMENTED" || code === "CANCELLED";
}
