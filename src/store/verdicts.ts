import type { Draft } from "./draft.ts";
import type { JournalEntry } from "./journal.ts";
import type { Plan, Submission } from "./submission.ts";

/**
 * A group ends with the command that exceeds this number of bytes of content. Puts never do, because the budgets bound the
 * bytes of all requests. But a Copy of a megabyte is a small request: thousands of them would fill the memory.
 */
const MAX_GROUP_BYTES = 64 * 1024 * 1024;

/** A command that waits for its answer. */
export interface Waiting {
  readonly submission: Submission<unknown>;
  /** When it was submitted, in milliseconds of the monotonic clock. */
  readonly since: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The result of validating a command. */
export type Verdict = { readonly waiting: Waiting } & (
  | { readonly plan: Plan<unknown> }
  | { readonly refusal: unknown }
);

/**
 * Validates commands in order of arrival, each against memory and the commands accepted before it. Returns fewer verdicts
 * than commands if the accepted ones have {@link MAX_GROUP_BYTES}.
 */
export function validate(group: readonly Waiting[], draft: Draft): Verdict[] {
  const verdicts: Verdict[] = [];
  let bytes = 0;
  for (const waiting of group) {
    if (bytes > MAX_GROUP_BYTES) break;
    const verdict = verdictOf(waiting, draft);
    bytes += contentBytes(verdict);
    verdicts.push(verdict);
  }
  return verdicts;
}

/** The entries of the accepted commands. */
export function entriesOf(verdicts: readonly Verdict[]): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (const verdict of verdicts) {
    const entry = entryOf(verdict);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function entryOf(verdict: Verdict): JournalEntry | undefined {
  return "plan" in verdict && verdict.plan.kind === "change" ? verdict.plan.entry : undefined;
}

function verdictOf(waiting: Waiting, draft: Draft): Verdict {
  try {
    return { waiting, plan: waiting.submission.plan(draft) };
  } catch (refusal) {
    return { waiting, refusal };
  }
}

/** The bytes of the sealed contents that a command adds. */
function contentBytes(verdict: Verdict): number {
  let bytes = 0;
  for (const change of entryOf(verdict)?.changes ?? []) if (change.kind === "put") bytes += change.sealed.length;
  return bytes;
}
