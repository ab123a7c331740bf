import type { ChangeCommand, ChangeResult } from "./command.ts";

/** Where changes go: to the store in this thread, or to that of another one. */
export interface Changes {
  /**
   * Performs a command. When it resolves, the change is durable, and content that it destroys is gone from memory and
   * from disk. Rejects with the error of the first operation or guard that is refused, or an error of the commit.
   */
  change(command: ChangeCommand): Promise<ChangeResult>;
}
