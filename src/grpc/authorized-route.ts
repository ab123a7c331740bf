import type { status as Code } from "@grpc/grpc-js";
import type { Connection } from "../admission/connection.ts";
import type { LeadingField } from "../contract/leading-string.ts";
import type { CofferError } from "../domain/errors.ts";
import type { MessageStream, MessageListener } from "./message-stream.ts";
import type { MethodId } from "./method-id.ts";

/** A call whose request has arrived completely. Exactly one of `succeed` and `fail` answers it; later ones do nothing. */
export interface AnswerableCall {
  readonly caller: Connection;
  /** Whether the caller no longer waits: it has its answer, has cancelled the call or closed its connection. */
  readonly isOver: boolean;
  /**
   * Runs `task`, which creates the answer, when the answers that the caller has not read yet leave space in its budget.
   * Limiting the requests does not limit the answers: many small requests can arrive in one turn, and each can have a
   * large answer.
   */
  whenRoom(task: () => void): void;
  /** Sends the answer, a framed message, and overwrites its bytes. */
  succeed(framed: Buffer): void;
  /**
   * Answers with any number of messages. The call ends when `fail` is called, or when the caller ends it. Until then, it
   * holds `bytes` of the caller's budget. Throws BUDGET_EXCEEDED.
   */
  beginStream(listener: MessageListener, bytes: number): MessageStream;
  /**
   * Keeps what the call holds of its caller's budget until the returned function is called, also if the caller cancels the
   * call or its deadline passes: the work for it continues, and the memory for its request is still used.
   */
  retainBudget(): () => void;
  /** Sends an error. */
  fail(failure: unknown): void;
  /** Overwrites the bytes of the request, after it has been decoded into copies. */
  wipeRequest(): void;
}

/** A method of Coffer's own service. The policy decides who may call it. */
export interface AuthorizedRoute {
  readonly kind: "authorized";
  readonly method: MethodId;
  /**
   * The first field of the request, by which the caller is authorized; undefined if the request names several secrets.
   */
  readonly target: LeadingField | undefined;
  /** Throws if the caller may not use `target`, which is empty if the route has none. */
  readonly authorize: (caller: Connection, target: string) => void;
  /** Answers a call. It must not throw. */
  readonly answer: (call: AnswerableCall, message: Buffer) => void;
}

/** A call that was answered. */
export interface Handled {
  readonly method: MethodId;
  readonly code: Code;
  /** For a call that answers with a stream: until the stream began. */
  readonly seconds: number;
  readonly caller: Connection;
  /** The error with which the call ended; undefined after success. The `cause` of the error is for the log only. */
  readonly error: CofferError | undefined;
}
