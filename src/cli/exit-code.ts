import { CommanderError } from "commander";
import { ConfigurationError } from "../config/option.ts";
import { StartRefused } from "../domain/start-refused.ts";
import { ClientError } from "../client/client-error.ts";
import type { Reason } from "../contract/reasons.ts";
import type { ConnectionFailure } from "../client/connection-failure.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { CommandFailed } from "./command-failed.ts";
import { ExitStatus } from "./exit-status.ts";

/** The exit codes of the program. docs/cli.md documents them for scripts. */
export const ExitCode = {
  ok: 0,
  /** Any other error. */
  other: 1,
  /** The command line, the configuration or the request is invalid. */
  usage: 2,
  notFound: 3,
  denied: 4,
  /** The secret has changed: read it again before another attempt. Or its watchers do not use its newest version yet. */
  conflict: 5,
  /** There was no response, or the server is not ready. Nothing was changed, so a retry is safe. */
  unavailable: 6,
  /** The client or the server could not prove its identity. */
  identity: 7,
  /** A change may have been applied: check before a retry, or retry with --request-id. */
  unknown: 8,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const BY_STATUS: Readonly<Partial<Record<ClientError["code"], ExitCode>>> = {
  INVALID_ARGUMENT: ExitCode.usage,
  NOT_FOUND: ExitCode.notFound,
  PERMISSION_DENIED: ExitCode.denied,
  UNAVAILABLE: ExitCode.unavailable,
  DEADLINE_EXCEEDED: ExitCode.unavailable,
  UNAUTHENTICATED: ExitCode.identity,
};

/**
 * Reasons whose gRPC code covers several kinds of error. A Map, because a newer server may send any name, such as
 * "toString", which every object has.
 */
const BY_REASON: ReadonlyMap<Reason | undefined, ExitCode> = new Map([
  ["VERSION_MISMATCH", ExitCode.conflict],
  ["CONTENTION", ExitCode.conflict],
  ["CAS_REQUIRED", ExitCode.usage],
  ["NOT_CONVERGED", ExitCode.conflict],
  ["BUDGET_EXCEEDED", ExitCode.unavailable],
]);

const BY_FAILURE: Readonly<Record<ConnectionFailure["kind"], ExitCode>> = {
  "no-identity": ExitCode.identity,
  "own-id": ExitCode.identity,
  unreachable: ExitCode.unavailable,
  broken: ExitCode.unavailable,
  "no-answer": ExitCode.unavailable,
  "handshake-failed": ExitCode.identity,
  "untrusted-server": ExitCode.identity,
  "wrong-server": ExitCode.identity,
  "closed-at-once": ExitCode.identity,
};

/**
 * Maps the error that a command threw to the exit code of the program: an {@link ExitCode}, or the status of an
 * ExitStatus.
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ExitStatus) return error.status;
  if (error instanceof CommandFailed) return ExitCode[error.outcome];
  if (error instanceof ClientError) return clientExitCode(error);
  if (error instanceof ConfigurationError || error instanceof StartRefused) return ExitCode.usage;
  if (error instanceof MaterialError) return ExitCode.identity;
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  return ExitCode.other;
}

function clientExitCode({ applied, failure, reason, code }: ClientError): ExitCode {
  if (applied === "unknown") return ExitCode.unknown;
  if (failure !== undefined) return BY_FAILURE[failure.kind];
  return BY_REASON.get(reason) ?? BY_STATUS[code] ?? ExitCode.other;
}
