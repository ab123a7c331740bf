import { readFileSync } from "node:fs";

/** A row of the table of errors at the top of coffer.proto. */
export interface ContractError {
  /** The gRPC status by name. */
  readonly code: string;
  readonly reason: string;
  /** Whether a failed call may have been applied: "no" or "unknown". */
  readonly applied: string;
}

const BARE = /^\/\/ {3}([A-Z_]+) +\(none\) .* (no|unknown)$/gm;
const ROW = /^\/\/ {3}([A-Z_]+) +([A-Z_]+) .* (no|unknown)$/gm;

/** For codes without a reason: whether the call may have been applied, as coffer.proto says. */
export function bareCodes(): Map<string, string> {
  return new Map([...proto().matchAll(BARE)].map(([, code, applied]) => [code!, applied!]));
}

/** The errors with a reason that coffer.proto lists. */
export function contractErrors(): ContractError[] {
  return [...proto().matchAll(ROW)].map(([, code, reason, applied]) => ({
    code: code!,
    reason: reason!,
    applied: applied!,
  }));
}

function proto(): string {
  return readFileSync("proto/coffer/v1/coffer.proto", "utf8");
}
