import type { AnswersMessage } from "./answers.ts";
import type { Columns } from "./columns.ts";
import type { ChunkChanges } from "./shared-chunks.ts";

/** What the store thread sends to a front. */
export type FeedMessage = PublicationMessage | AnswersMessage;

/** Committed entries, and what happened to the chunks with their contents; undefined if nothing happened. */
export interface PublicationMessage {
  readonly kind: "publication";
  readonly number: number;
  readonly batch: Columns;
  readonly chunks: ChunkChanges | undefined;
}
