import { PASSED_ON, type PassedOn } from "./signal-relay.ts";

/** What `coffer run --watch` does when a secret has a new version. */
export type ChangeReaction =
  /** Ends the command, and starts it with the new values. */
  | { readonly kind: "restart" }
  /** Sends a signal to the command, which reads the secrets itself. */
  | { readonly kind: "signal"; readonly signal: PassedOn };

/** Parses the value of `--watch`: `restart`, or the name of a signal with or without SIG. Throws an Error. */
export function parseChangeReaction(text: string): ChangeReaction {
  if (text === "restart") return { kind: "restart" };
  const signal = PASSED_ON.find((name) => name === text || name === `SIG${text}`);
  if (signal !== undefined) return { kind: "signal", signal };
  throw new Error(`invalid reaction ${JSON.stringify(text)}: expected restart, ${PASSED_ON.join(", ")}`);
}
