import type { Timers } from "../domain/timers.ts";
import type { Changes } from "../store/changes.ts";
import type { DeleteCommand, DeleteResult, PutCommand, PutResult } from "../store/operation.ts";
import { type Answer, type ChangeRequest, type ChangesMessage, restoreError } from "./port-messages.ts";

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** Sends changes to the store thread: one message for all that are requested in one turn of the event loop. */
export class RemoteChanges implements Changes {
  readonly #send: (message: ChangesMessage, transfer: readonly ArrayBuffer[]) => void;
  readonly #timers: Pick<Timers, "afterTurn">;
  readonly #pending = new Map<number, Pending>();
  #requests: ChangeRequest[] = [];
  #plaintexts: Buffer[] = [];
  #lastId = 0;

  constructor(
    send: (message: ChangesMessage, transfer: readonly ArrayBuffer[]) => void,
    timers: Pick<Timers, "afterTurn">,
  ) {
    this.#send = send;
    this.#timers = timers;
  }

  put({ path, plaintext, expectedVersion, author }: PutCommand): Promise<PutResult> {
    this.#plaintexts.push(plaintext);
    return this.#request((id) => ({ kind: "put", id, path, author, expectedVersion, length: plaintext.length }));
  }

  delete(command: DeleteCommand): Promise<DeleteResult> {
    return this.#request((id) => ({ kind: "delete", id, ...command }));
  }

  /** The store thread has answered changes. */
  answered(answers: readonly Answer[]): void {
    for (const answer of answers) {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (answer.kind === "done") pending?.resolve(answer.result as never);
      else pending?.reject(restoreError(answer.error));
    }
  }

  #request<Result>(requestOf: (id: number) => ChangeRequest): Promise<Result> {
    this.#lastId += 1;
    const request = requestOf(this.#lastId);
    this.#requests.push(request);
    if (this.#requests.length === 1) this.#timers.afterTurn(() => this.#flush());
    return new Promise((resolve, reject) => this.#pending.set(request.id, { resolve, reject }));
  }

  #flush(): void {
    const requests = this.#requests;
    const plaintexts = joined(this.#plaintexts);
    this.#requests = [];
    this.#plaintexts = [];
    this.#send({ requests, plaintexts }, [plaintexts]);
  }
}

/** Moves plaintexts into one buffer of their own, and overwrites the originals. */
function joined(plaintexts: readonly Buffer[]): ArrayBuffer {
  const joined = new ArrayBuffer(plaintexts.reduce((sum, { length }) => sum + length, 0));
  const bytes = new Uint8Array(joined);
  let at = 0;
  for (const plaintext of plaintexts) {
    bytes.set(plaintext, at);
    at += plaintext.length;
    plaintext.fill(0);
  }
  return joined;
}
