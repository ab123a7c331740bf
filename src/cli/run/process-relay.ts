import { kernelFiles } from "../../process/kernel-files.ts";
import type { World } from "../../process/world.ts";
import { SignalRelay } from "./signal-relay.ts";
import { isInForeground } from "./terminal-job.ts";

/** A relay of the signals of this process. */
export function processRelay(world: Pick<World, "on" | "stderr">): SignalRelay {
  return new SignalRelay({
    on: (signal, listener) => world.on(signal, listener),
    isInForeground: () => isInForeground(kernelFiles, world.stderr.isTTY),
  });
}
