import type { Timers } from "../domain/timers.ts";
import type { Changes } from "../store/changes.ts";
import type { ChangeCommand, ChangeResult } from "../store/command.ts";
import { type AnswersMessage, decodeAnswers } from "./answers.ts";
import { type ChangeRequest, type ChangesMessage, encodeRequests } from "./requests.ts";

interface Pending {
  readonly resolve: (result: ChangeResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends changes to the store thread: one message for all that are requested in one turn of the event loop. */
export class RemoteChanges implements Changes {
  readonly #send: (message: ChangesMessage, transfer: readonly ArrayBuffer[]) => void;
  readonly #timers: Pick<Timers, "afterTurn">;
  readonly #pending = new Map<number, Pending>();
  #requests: ChangeRequest[] = [];
  #lastId = 0;

  constructor(
    send: (message: ChangesMessage, transfer: readonly ArrayBuffer[]) => void,
    timers: Pick<Timers, "afterTurn">,
  ) {
    this.#send = send;
    this.#timers = timers;
  }

  change(command: ChangeCommand): Promise<ChangeResult> {
    const id = ++this.#lastId;
    this.#requests.push({ id, command });
    if (this.#requests.length === 1) this.#timers.afterTurn(() => this.#flush());
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  /** The store thread has answered changes. */
  answered(message: AnswersMessage): void {
    for (const answer of decodeAnswers(message)) {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (answer.kind === "failed") pending?.reject(answer.error);
      else pending?.resolve(answer.result);
    }
  }

  #flush(): void {
    const message = encodeRequests(this.#requests);
    this.#requests = [];
    this.#send(message, [message.plaintexts]);
  }
}
