import type { GivenFlags } from "../app/config-option.ts";
import { readServeConfig } from "../app/config-serve.ts";
import { machineMemory } from "./machine-memory.ts";
import { serveUntilStopped } from "./serving.ts";
import type { World } from "./world.ts";

/** What `coffer serve` does. */
export async function runServer(flags: GivenFlags, world: World): Promise<void> {
  await serveUntilStopped(readServeConfig(flags, world.env, machineMemory()), world);
}
