import type { DeleteCommand, DeleteResult, PutCommand, PutResult } from "./operation.ts";

/** Where changes go: to the store in this thread, or to that of another one. Every change is durable when it resolves. */
export interface Changes {
  /** Adds a version. Rejects with VERSION_MISMATCH, STORE_FULL, or an error of the commit. */
  put(command: PutCommand): Promise<PutResult>;

  /**
   * Marks versions as deleted. Rejects with SECRET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_MISMATCH, or an error of the
   * commit.
   */
  delete(command: DeleteCommand): Promise<DeleteResult>;
}
