import { watch } from "node:fs";

/**
 * Calls `onEvent` when something in a directory may have changed, until the returned function is called. A hint and no
 * more: where the system can't watch (no such directory, too many watches, a network file system) it is never called,
 * and that is no error. Keeps no process alive.
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
