import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import { ClientError } from "./client-error.ts";

/** The next message of a stream, or how the stream ended. */
export type StreamStep<Message> =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "failed"; readonly error: ClientError }
  /** No more calls are made on the connection of the stream: the identity has changed, or another server answers. */
  | { readonly kind: "replaced" };

/** What a stream reports to its channel. */
export interface StreamObserver {
  /** The error of a call as an error of the client. */
  readonly explain: (error: ServiceError) => ClientError;
  /** The error of a stream on which nothing has arrived for too long. */
  readonly silenced: () => ClientError;
  /** Called when the first message has arrived. */
  readonly onAnswer: () => void;
  /** Called once, when the stream is over; with its error if it failed. */
  readonly onOver: (error: ClientError | undefined) => void;
}

/** The messages of one call, read one at a time. Messages that are not read wait at the server. */
export class ServerStream<Message> {
  /** Resolves when the stream is over. Messages that arrived earlier can still be read. */
  readonly over: Promise<void>;
  readonly #call: ClientReadableStream<Message>;
  readonly #observer: StreamObserver;
  #end: StreamStep<never> | undefined;
  #isAnswered = false;
  #wake = () => {};
  #resolveOver = () => {};

  constructor(call: ClientReadableStream<Message>, observer: StreamObserver) {
    this.#call = call;
    this.#observer = observer;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    call.on("readable", () => this.#wake());
    call.on("error", (error: ServiceError) => this.#finish({ kind: "failed", error: observer.explain(error) }));
    call.on("end", () => this.#finish({ kind: "failed", error: endedWithoutError() }));
  }

  /**
   * The next message, when it has arrived; after the end, the messages that had arrived, and then how the stream ended.
   * Only one call at a time.
   */
  async next(): Promise<StreamStep<Message>> {
    for (;;) {
      const message = this.#call.read() as Message | null;
      if (message !== null) return this.#answered(message);
      if (this.#end !== undefined) return this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends the stream as failed, because nothing has arrived for too long. Has no effect if it is over. */
  silence(): void {
    if (this.#end !== undefined) return;
    this.#finish({ kind: "failed", error: this.#observer.silenced() });
    this.#call.cancel();
  }

  /** Ends the stream: its consumer stops, or no more calls are made on its connection. Has no effect if it is over. */
  replace(): void {
    this.#finish({ kind: "replaced" });
    this.#call.cancel();
  }

  #answered(message: Message): StreamStep<Message> {
    if (!this.#isAnswered) this.#observer.onAnswer();
    this.#isAnswered = true;
    return { kind: "message", message };
  }

  #finish(end: StreamStep<never>): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#observer.onOver(end.kind === "failed" ? end.error : undefined);
    this.#resolveOver();
    this.#wake();
  }
}

/** A server ends a stream of Watch only with an error. */
function endedWithoutError(): ClientError {
  return new ClientError("UNAVAILABLE", "the server ended the stream without an error");
}
