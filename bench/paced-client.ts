import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequest } from "../src/contract/messages.ts";
import { type Access, accessOf, callOnce, openSession } from "./access.ts";
import type { PacedJob } from "./job.ts";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";
import { grpcMessage, secretPath } from "./request.ts";

/** How long an answer may take after the last call has started, in milliseconds. */
const TIMEOUT_MS = 10_000;

takeJob<PacedJob>(async (job) => {
  const meter = new Meter(job.target.pid);
  const calls = new PacedCalls(job, meter);
  const timer = setInterval(() => calls.startDue(), 1000 / job.perSecond);
  await sleep(job.warmUpMs);
  meter.start();
  await sleep(job.measuredMs);
  clearInterval(timer);
  await Promise.race([calls.allAnswered(), sleep(TIMEOUT_MS)]);
  calls.countUnanswered();
  meter.stop();
  return meter.result();
});

/**
 * Starts Gets on one connection at a fixed pace, whether or not earlier ones were answered. A client that waits for
 * each answer makes few calls while the server stalls, so its percentiles do not show the stall.
 */
class PacedCalls {
  readonly #job: PacedJob;
  readonly #meter: Meter;
  readonly #access: Access;
  readonly #startedAt = performance.now();
  readonly #unanswered = new Map<Promise<void>, number>();
  #started = 0;
  #session: ClientHttp2Session | undefined;

  constructor(job: PacedJob, meter: Meter) {
    this.#job = job;
    this.#meter = meter;
    this.#access = accessOf(job.target);
  }

  /** Starts all calls that are due, including those that are late because a timer fired late. */
  startDue(): void {
    const due = ((performance.now() - this.#startedAt) / 1000) * this.#job.perSecond;
    for (; this.#started < due; this.#started++) this.#start();
  }

  async allAnswered(): Promise<void> {
    await Promise.all(this.#unanswered.keys());
  }

  /** Records each unanswered call with its waiting time, so that it raises the percentiles. */
  countUnanswered(): void {
    for (const startedAt of this.#unanswered.values()) this.#meter.recordUnanswered(startedAt);
  }

  #start(): void {
    const startedAt = performance.now();
    const number = Math.floor(Math.random() * this.#job.secrets);
    const message = grpcMessage(getRequest.encode(getRequest.of({ path: secretPath(number), version: 0 })));
    const call = callOnce(this.#openSession(), "/coffer.v1.Secrets/Get", message).then((outcome) => {
      this.#unanswered.delete(call);
      this.#meter.record(outcome, startedAt);
    });
    this.#unanswered.set(call, startedAt);
  }

  /** Returns the connection, or a new one if the server has ended it. */
  #openSession(): ClientHttp2Session {
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = openSession(this.#access);
    session.once("goaway", () => {
      if (this.#session === session) this.#session = undefined;
    });
    this.#session = session;
    return session;
  }
}
