import type { Draft } from "./draft.ts";
import type { JournalEntry } from "./journal.ts";
import type { Plan, Submission } from "./submission.ts";

/**
 * A group ends with the command with which its work reaches this number of bytes ({@link Draft.work}). A Copy or a Patch of
 * a few bytes can decrypt and seal megabytes, and thousands of them can wait. In one group, they would block the thread for
 * minutes, and fill the memory.
 */
const MAX_GROUP_WORK = 4 * 1024 * 1024;

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
 * than commands if their work reaches {@link MAX_GROUP_WORK}.
 */
export function validate(group: readonly Waiting[], draft: Draft): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const waiting of group) {
    if (draft.work >= MAX_GROUP_WORK) break;
    verdicts.push(verdictOf(waiting, draft));
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
