import type { GivenFlags } from "../config/option.ts";
import { readServeConfig } from "../config/read-serve-config.ts";
import { machineMemory } from "../process/machine-memory.ts";
import { serveUntilStopped } from "./serving.ts";
import type { World } from "../process/world.ts";

/** What `coffer serve` does. */
export async function runServer(flags: GivenFlags, world: World): Promise<void> {
  await serveUntilStopped(readServeConfig(flags, world.env, machineMemory()), world);
}
