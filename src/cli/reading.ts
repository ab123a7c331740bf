import { processTimers } from "../domain/timers.ts";
import { type ProgressOutput, withProgress } from "./progress.ts";

/** Makes a call that only reads, and shows its progress on a terminal. */
export function reading<Answer>(
  { stderr }: { readonly stderr: ProgressOutput },
  call: () => Promise<Answer>,
): Promise<Answer> {
  return withProgress(
    (seconds) => `waiting for the server: ${seconds} s`,
    { output: stderr, timers: processTimers },
    call,
  );
}
