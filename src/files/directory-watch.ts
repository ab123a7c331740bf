import { watch } from "node:fs";

/**
 * Calls `onEvent` when something in a directory may have changed, until the returned function is called. A call is only
 * a hint, and calls can be missing: if the system can't watch the directory (it does not exist, there are too many
 * watches, it is on a network file system), `onEvent` is never called, without an error. A watch does not keep the
 * process running.
 */
export type WatchDirectory = (directory: string, onEvent: () => void) => () => void;

/** Watches with node:fs. */
export const watchDirectory: WatchDirectory = (directory, onEvent) => {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent);
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
};
