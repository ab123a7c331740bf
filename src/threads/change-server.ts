import type { Changes } from "../store/changes.ts";
import type { DeleteResult, PutResult } from "../store/operation.ts";
import {
  type Answer,
  type ChangeRequest,
  type ChangesMessage,
  type FeedMessage,
  describeError,
} from "./port-messages.ts";
import type { Port } from "./port.ts";

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

  #receive({ requests, plaintexts }: ChangesMessage): void {
    let at = 0;
    for (const request of requests) {
      const length = request.kind === "put" ? request.length : 0;
      const { id } = request;
      this.#submit(request, Buffer.from(plaintexts, at, length)).then(
        (result) => this.#answer({ kind: "done", id, result }),
        (error: unknown) => this.#answer({ kind: "failed", id, error: describeError(error) }),
      );
      at += length;
    }
  }

  #submit(request: ChangeRequest, plaintext: Buffer): Promise<PutResult | DeleteResult> {
    if (request.kind === "delete") return this.#changes.delete(request);
    return this.#changes.put({ ...request, plaintext });
  }

  /** All operations of a group are answered in one turn, and their promises before the microtask that is queued here. */
  #answer(answer: Answer): void {
    this.#answers.push(answer);
    if (this.#answers.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const answers = this.#answers;
    this.#answers = [];
    this.#port.post({ kind: "answers", answers });
  }
}
