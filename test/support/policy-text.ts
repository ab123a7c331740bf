import assert from "node:assert/strict";
import type { Policy } from "../../src/authorization/policy.ts";
import { readPolicy } from "../../src/authorization/policy-file.ts";

/** Parses a policy. Fails if the text has a problem. */
export function policyOf(text: string): Policy {
  const reading = readPolicy(Buffer.from(text));
  assert.ok(reading.kind === "policy", JSON.stringify(reading));
  return reading.policy;
}

/** The problems of a policy file, each as `line:column message`. */
export function problemsOf(file: string | Uint8Array): readonly string[] {
  const reading = readPolicy(typeof file === "string" ? Buffer.from(file) : file);
  assert.ok(reading.kind === "problems", "the file was accepted");
  return reading.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}
