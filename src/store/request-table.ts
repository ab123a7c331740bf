import type { ChangeResult, OperationResult } from "./command.ts";
import type { AnsweredRequest, CommittedEntry } from "./journal.ts";
import type { Revision } from "./revision.ts";

/** A remembered request. The digest is a string, because a Buffer of 32 bytes takes more than 100 bytes. */
export interface Remembered {
  readonly digest: string;
  readonly answer: ChangeResult;
}

/** The requests of one caller. */
interface CallerRequests {
  readonly byId: Map<string, Remembered>;
  /** The number of their operations. */
  operations: number;
}

// Bytes of V8's memory for a caller, for a request, for each result of a request, and for each version in a result.
// They were measured like those of stored-size.ts.
const CALLER_OVERHEAD = 400;
const REQUEST_OVERHEAD = 305;
const RESULT_OVERHEAD = 95;
const VERSION_BYTES = 8;

/**
 * The answers to requests with a request_id. It belongs to the store thread. Requests are remembered in the order of
 * their times, so those of one caller are in that order too.
 */
export class RequestTable {
  readonly #callers = new Map<string, CallerRequests>();
  #size = 0;
  #bytes = 0;
  #lastTime = 0;

  /** The time of the last request, in milliseconds. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** The size in bytes of memory, which the store counts as its own. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of remembered requests, of all callers. */
  get size(): number {
    return this.#size;
  }

  /** The number of operations in the remembered requests of a caller. */
  operationsOf(caller: string): number {
    return this.#callers.get(caller)?.operations ?? 0;
  }

  /** A request of a caller; undefined if it is not remembered. */
  find(caller: string, id: string): Remembered | undefined {
    return this.#callers.get(caller)?.byId.get(id);
  }

  /** The time of the first request; undefined if there is none. */
  get firstTime(): number | undefined {
    let first: number | undefined;
    for (const requests of this.#callers.values()) {
      const time = firstOf(requests.byId)?.answer.time;
      if (time !== undefined && (first === undefined || time < first)) first = time;
    }
    return first;
  }

  /** Applies what committed entries remember and forget. */
  publish(entries: readonly CommittedEntry[]): void {
    for (const { requests, revision } of entries) {
      if (requests?.kind === "remember") this.remember(requests.request, revision);
      if (requests?.kind === "forget") this.#forget(requests.before);
    }
  }

  /** Remembers a request. `revision` is that of its entry. */
  remember(request: AnsweredRequest, revision: Revision): void {
    const { caller, id, digest, time, results } = request;
    const requests = this.#callers.get(caller) ?? this.#addCaller(caller);
    if (requests.byId.has(id)) return;
    const answer = { revision: request.revision ?? revision, time, results };
    requests.byId.set(id, { digest: digest.toString("latin1"), answer });
    requests.operations += results.length;
    this.#size += 1;
    this.#bytes += requestBytes(results);
    this.#lastTime = Math.max(this.#lastTime, time);
  }

  /** Forgets the requests that were answered before a time. */
  #forget(before: number): void {
    for (const [caller, requests] of this.#callers) {
      for (const [id, { answer }] of requests.byId) {
        if (answer.time >= before) break;
        requests.byId.delete(id);
        requests.operations -= answer.results.length;
        this.#size -= 1;
        this.#bytes -= requestBytes(answer.results);
      }
      if (requests.byId.size === 0) this.#removeCaller(caller);
    }
  }

  #addCaller(caller: string): CallerRequests {
    const requests = { byId: new Map<string, Remembered>(), operations: 0 };
    this.#callers.set(caller, requests);
    this.#bytes += CALLER_OVERHEAD + caller.length;
    return requests;
  }

  #removeCaller(caller: string): void {
    this.#callers.delete(caller);
    this.#bytes -= CALLER_OVERHEAD + caller.length;
  }
}

/** The size of a remembered request, in bytes of memory. */
export function requestBytes(results: readonly OperationResult[]): number {
  let bytes = REQUEST_OVERHEAD;
  for (const { versions } of results) bytes += RESULT_OVERHEAD + VERSION_BYTES * versions.length;
  return bytes;
}

function firstOf(requests: ReadonlyMap<string, Remembered>): Remembered | undefined {
  for (const remembered of requests.values()) return remembered;
  return undefined;
}
