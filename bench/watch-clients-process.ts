import { setTimeout as pause } from "node:timers/promises";
import type { ClientHttp2Session } from "node:http2";
import { accessOf, callOnce, openSession } from "./access.ts";
import { VALUE_BYTES, secretPath } from "./request.ts";
import type { Deliveries, WatchJob } from "./watch-job.ts";
import { beginWatch, putOf } from "./watch-stream.ts";

// A process of watchers, and of one client that makes changes. It receives its job from the parent, and answers with the
// times from the beginning of each change to its deliveries.

/** The number of connections that are opened at a time. */
const AT_A_TIME = 25;

process.once("disconnect", () => process.exit());
process.once("message", (job: WatchJob) => {
  measure(job).then(
    (deliveries) => process.send!({ kind: "done", result: deliveries }),
    (error: Error) => process.send!({ kind: "failed", message: error.stack ?? error.message }),
  );
});

async function measure(job: WatchJob): Promise<Deliveries> {
  const { target, ofOnePath, ofAll, perSecond, warmUpMs, measuredMs } = job;
  const access = accessOf(target);
  const begun = new Map<string, number>();
  const latencies: number[] = [];
  let expected = 0;
  let received = 0;
  let isMeasured = false;
  const onChange = ({ path, value }: { readonly path: string; readonly value: string }) => {
    const since = begun.get(`${path} ${value}`);
    if (since === undefined) return;
    received += 1;
    latencies.push(performance.now() - since);
  };
  const open = async (path: string | undefined) => {
    const session = openSession(access);
    await beginWatch(session, target.protocol, path, onChange);
  };
  const watched = [
    ...Array.from({ length: ofOnePath }, (_, n) => secretPath(n)),
    ...Array.from({ length: ofAll }, () => undefined),
  ];
  for (let i = 0; i < watched.length; i += AT_A_TIME) await Promise.all(watched.slice(i, i + AT_A_TIME).map(open));
  const writer = openSession(access);
  const failed: string[] = [];
  const change = async (n: number, value: string) => {
    const path = secretPath(n);
    if (isMeasured) {
      begun.set(`${path} ${value}`, performance.now());
      expected += ofAll + (n < ofOnePath ? 1 : 0);
    }
    const outcome = await callOnce(writer, ...putOf(target.protocol, path, value));
    if (outcome.kind === "error") failed.push(outcome.what);
  };
  const secrets = Math.max(ofOnePath, 1);
  const start = performance.now();
  const end = start + warmUpMs + measuredMs;
  const pending: Promise<void>[] = [];
  for (let i = 0; performance.now() < end; i++) {
    isMeasured = performance.now() >= start + warmUpMs;
    const done = change((i * 7919) % secrets, `value ${i} `.padEnd(VALUE_BYTES, "."));
    if (perSecond === undefined) {
      await done;
      // The next change begins when this one was delivered.
      while (received < expected) await pause(0);
    } else {
      pending.push(done);
      const next = start + ((i + 1) * 1000) / perSecond;
      if (next > performance.now()) await pause(next - performance.now());
    }
  }
  await Promise.all(pending);
  for (let waited = 0; received < expected && waited < 10_000; waited += 10) await pause(10);
  if (failed.length > 0) throw new Error(`changes failed: ${failed[0]}`);
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
  closeAll([writer]);
  return {
    changes: begun.size,
    expected,
    received,
    p50: at(0.5),
    p99: at(0.99),
    worst: latencies.at(-1) ?? Number.NaN,
  };
}

function closeAll(sessions: readonly ClientHttp2Session[]): void {
  for (const session of sessions) session.close();
}
