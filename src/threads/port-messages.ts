import type { AnswersMessage } from "./answers.ts";
import type { Columns } from "./columns.ts";
import type { PolicyMessage } from "./policy-message.ts";
import type { ChunkChanges } from "./shared-chunks.ts";

/** What the store thread sends to a front. */
export type FeedMessage = NumberedMessage | AnswersMessage;

/** A message that takes effect on all fronts when its number is raised in shared memory: see PublicationProgress. */
export type NumberedMessage = PublicationMessage | PolicyReplacement;

/** Committed entries, and what happened to the chunks with their contents; undefined if nothing happened. */
export interface PublicationMessage {
  readonly kind: "publication";
  readonly number: number;
  readonly batch: Columns;
  readonly chunks: ChunkChanges | undefined;
}

/** A policy that replaces the one before. It is numbered as a publication, so both have one order. */
interface PolicyReplacement {
  readonly kind: "policy";
  readonly number: number;
  readonly policy: PolicyMessage;
}
