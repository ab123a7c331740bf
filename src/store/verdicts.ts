import type { Draft } from "./draft.ts";
import type { FairQueue } from "./fair-queue.ts";
import type { JournalEntry } from "./journal.ts";
import type { Plan, Submission } from "./submission.ts";

/**
 * A group ends with the command with which its work reaches this number of bytes ({@link Draft.work}). A Copy or a Patch of
 * a few bytes can decrypt and seal megabytes, and thousands of them can wait. In one group, they would block the thread for
 * minutes, and fill the memory.
 */
const MAX_GROUP_WORK = 1024 * 1024;

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
 * Takes the commands of the next group from the queue, and validates each against memory and the commands accepted before
 * it. The group ends when the queue is empty, or when its work reaches {@link MAX_GROUP_WORK}.
 */
export function takeGroup(queue: FairQueue<Waiting>, draft: Draft): Verdict[] {
  const verdicts: Verdict[] = [];
  while (draft.work < MAX_GROUP_WORK) {
    const waiting = queue.next();
    if (waiting === undefined) break;
    verdicts.push(verdictOf(waiting, draft));
  }
  return verdicts;
}

/** Validates the commands of a group again, in the same order, because memory has changed. */
export function validateAgain(verdicts: readonly Verdict[], draft: Draft): Verdict[] {
  return verdicts.map(({ waiting }) => verdictOf(waiting, draft));
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
