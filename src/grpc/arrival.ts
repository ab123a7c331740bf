import type { ServerHttp2Stream } from "node:http2";
import type { Timers } from "../domain/timers.ts";
import type { Connection } from "../admission/connection.ts";
import type { AuthorizedRoute, Handled } from "./authorized-route.ts";
import type { EarlyAnswers } from "./early-answers.ts";
import type { OpenCalls } from "./open-calls.ts";

/** A call of Coffer's own service as it arrived. */
export interface Arrival {
  readonly caller: Connection;
  readonly stream: ServerHttp2Stream;
  readonly route: AuthorizedRoute;
  /** When it arrived, in monotonic milliseconds. */
  readonly since: number;
  /** The time that the caller waits for the answer, in milliseconds; undefined if it set no deadline. */
  readonly timeoutMs: number | undefined;
  /** Whether the caller had ended its request when the call began. */
  readonly isComplete: boolean;
  /** The calls of its connection that stay open. */
  readonly openCalls: OpenCalls;
}

/** What every call needs. */
export interface CallEnvironment {
  readonly early: EarlyAnswers;
  readonly timers: Timers;
  readonly onHandled: (handled: Handled) => void;
}
