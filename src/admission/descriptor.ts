import { getSystemErrorName } from "node:util";
import { StartError } from "../domain/start-refused.ts";

/**
 * Duplicates a file descriptor. The copy refers to the same open socket, and exec(2) closes it. Throws an error with the
 * code of the system, such as EMFILE.
 */
export type Duplicate = (fd: number) => number;

/** Connections can't be passed between threads on this platform. The message states what to do. */
class PassingRefused extends StartError {
  override readonly name = "PassingRefused";
}

// The value of F_DUPFD_CLOEXEC (fcntl(2)) on macOS, and on Linux.
const DUPLICATE = process.platform === "darwin" ? 67 : 1030;

// The lowest number that the copy may get. 0, 1 and 2 are the standard streams: if one of them is closed, its number is
// free, and output for the stream would be sent to the connection.
const LOWEST = 3;

/**
 * Loads `fcntl` of the C library through koffi. Node has no function that duplicates a descriptor. Rejects with a
 * {@link StartError}.
 */
export async function loadDuplicate(): Promise<Duplicate> {
  const { errno, fcntl } = await loadFcntl();
  return (fd) => {
    const copy = fcntl(fd, DUPLICATE, "int", LOWEST);
    if (copy >= 0) return copy;
    const code = getSystemErrorName(-errno());
    throw Object.assign(new Error(`can't duplicate descriptor ${fd}: ${code}`), { code });
  };
}

async function loadFcntl() {
  try {
    const { load, errno } = await import("koffi");
    return { errno, fcntl: load(null).func("int fcntl(int fd, int command, ...)") };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PassingRefused(`can't load koffi, which passes connections between threads (${why}); use --threads 1`, {
      cause,
    });
  }
}
