import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequest } from "../src/contract/messages.ts";
import { type Access, accessOf, callOnce, openSession } from "./access.ts";
import type { PacedJob } from "./job.ts";
import { takeJob } from "./job-process.ts";
import { Meter } from "./meter.ts";
import { grpcMessage, secretPath } from "./request.ts";

/** How long an answer may take after the last call has begun, in milliseconds. */
const PATIENCE_MS = 10_000;

takeJob<PacedJob>(async (job) => {
  const meter = new Meter(job.target.pid);
  const calls = new PacedCalls(job, meter);
  const timer = setInterval(() => calls.beginDue(), 1000 / job.perSecond);
  await sleep(job.warmUpMs);
  meter.start();
  await sleep(job.measuredMs);
  clearInterval(timer);
  await Promise.race([calls.allAnswered(), sleep(PATIENCE_MS)]);
  calls.countUnanswered();
  meter.stop();
  return meter.result();
});

/**
 * Gets on one connection that begin at a fixed pace, whether or not those before were answered: a client that waits for
 * each answer makes few calls while the server stalls, and its percentiles don't show the stall.
 */
class PacedCalls {
  readonly #job: PacedJob;
  readonly #meter: Meter;
  readonly #access: Access;
  readonly #begunAt = performance.now();
  readonly #unanswered = new Map<Promise<void>, number>();
  #begun = 0;
  #session: ClientHttp2Session | undefined;

  constructor(job: PacedJob, meter: Meter) {
    this.#job = job;
    this.#meter = meter;
    this.#access = accessOf(job.target);
  }

  /** A timer that came late is made up for. */
  beginDue(): void {
    const due = ((performance.now() - this.#begunAt) / 1000) * this.#job.perSecond;
    for (; this.#begun < due; this.#begun++) this.#begin();
  }

  async allAnswered(): Promise<void> {
    await Promise.all(this.#unanswered.keys());
  }

  /** A call without an answer counts with the time that it has waited, so that it raises the percentiles. */
  countUnanswered(): void {
    for (const startedAt of this.#unanswered.values()) this.#meter.recordUnanswered(startedAt);
  }

  #begin(): void {
    const startedAt = performance.now();
    const number = Math.floor(Math.random() * this.#job.secrets);
    const message = grpcMessage(getRequest.encode({ path: secretPath(number), version: 0 }));
    const call = callOnce(this.#openSession(), "/coffer.v1.Secrets/Get", message).then((outcome) => {
      this.#unanswered.delete(call);
      this.#meter.record(outcome, startedAt);
    });
    this.#unanswered.set(call, startedAt);
  }

  /** The connection, or another one when the server has ended it. */
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
