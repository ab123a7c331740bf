import type { Changes } from "../store/changes.ts";
import { type Answer, encodeAnswers } from "./answers.ts";
import type { FeedMessage } from "./port-messages.ts";
import type { Port } from "./port.ts";
import { type ChangesMessage, decodeRequests } from "./requests.ts";

/** Serves the changes that one front requests. The answers of a group leave as one message. */
export class ChangeServer {
  readonly #port: Port<ChangesMessage, FeedMessage>;
  readonly #changes: Changes;
  #answers: Answer[] = [];

  constructor(port: Port<ChangesMessage, FeedMessage>, changes: Changes) {
    this.#port = port;
    this.#changes = changes;
    port.onMessage((message) => this.#receive(message));
  }

  /** Takes the requests that have arrived, and no later ones. */
  close(): void {
    for (let message = this.#port.receive(); message !== undefined; message = this.#port.receive())
      this.#receive(message);
    this.#port.close();
  }

  #receive(message: ChangesMessage): void {
    for (const { id, command } of decodeRequests(message)) {
      this.#changes.change(command).then(
        (result) => this.#answer({ kind: "done", id, result }),
        (error: unknown) => this.#answer({ kind: "failed", id, error }),
      );
    }
  }

  /**
   * The store answers all operations of a group in one turn, and their promise callbacks run before the microtask that
   * the first of them queues here. So one message has the answers of the whole group.
   */
  #answer(answer: Answer): void {
    this.#answers.push(answer);
    if (this.#answers.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const answers = this.#answers;
    this.#answers = [];
    this.#port.post(encodeAnswers(answers));
  }
}
