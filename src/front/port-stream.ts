import { Writable } from "node:stream";
import type { Port } from "../threads/port.ts";
import type { Report } from "./orders.ts";

/**
 * A stream for the logger of a front: it posts each line to the store thread, which writes the log of the process. A
 * line is posted before `write` returns, so a front that then fails has lost none.
 */
export function portStream(port: Pick<Port<unknown, Report>, "post">): Writable {
  return new Writable({
    decodeStrings: false,
    write(lines: string, _encoding, done) {
      port.post({ kind: "log", lines });
      done();
    },
  });
}
