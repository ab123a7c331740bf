import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { type Access, beginCall, openSession } from "../../bench/access.ts";
import { nextEvent } from "./next-event.ts";

/** A call whose request is sent in two parts, each in a turn of its own. */
export interface DividedCall {
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly parts: readonly Uint8Array[];
}

/** The relevant headers of each answer, in the order of the calls: "415 3" is HTTP status and grpc-status. */
export type Answers = readonly string[];

interface Task {
  readonly access: Access;
  readonly calls: readonly DividedCall[];
}

/** Calls in flight. */
const WIDTH = 16;

/** Makes the calls by a client of node:http2 in another thread, so that it does not run in turn with the server. */
export async function answersInThread(access: Access, calls: readonly DividedCall[]): Promise<Answers> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { access, calls } satisfies Task });
  try {
    const [answers] = (await nextEvent(worker, "message")) as [Answers];
    return answers;
  } finally {
    await worker.terminate();
  }
}

async function answersTo({ access, calls }: Task): Promise<Answers> {
  const session = openSession(access);
  await nextEvent(session, "remoteSettings");
  const answers: string[] = [];
  const left = calls.entries();
  const lane = async () => {
    for (const [n, { path, headers, parts }] of left) {
      const stream = beginCall(session, path, headers).resume();
      answers[n] = "no answer";
      stream.once("response", (got) => (answers[n] = `${got[":status"]} ${String(got["grpc-status"])}`));
      const closed = once(stream, "close");
      for (const part of parts) {
        await turn();
        if (stream.writable) stream.write(part);
      }
      stream.end();
      await closed;
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, lane));
  session.destroy();
  return answers;
}

if (!isMainThread) parentPort?.postMessage(await answersTo(workerData as Task));
