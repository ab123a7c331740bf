import { readFileSync } from "node:fs";

/** A row of the table of errors at the top of coffer.proto. */
export interface ContractError {
  /** The gRPC status by name. */
  readonly code: string;
  readonly reason: string;
  /** Whether a failed call may have been applied: "no" or "unknown". */
  readonly applied: string;
}

const ROW = /^\/\/ {3}([A-Z_]+) +([A-Z_]+) .* (no|unknown)$/gm;

/** The errors that coffer.proto lists, those with a reason. */
export function contractErrors(): ContractError[] {
  const proto = readFileSync("proto/coffer/v1/coffer.proto", "utf8");
  return [...proto.matchAll(ROW)].map(([, code, reason, applied]) => ({
    code: code!,
    reason: reason!,
    applied: applied!,
  }));
}
