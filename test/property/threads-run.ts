import { versionContext } from "../../src/sealing/context.ts";
import type { Recorded } from "../support/history.ts";
import { violations } from "../support/linearizability.ts";
import { Simulation } from "../support/simulated-threads.ts";
import { randomFrom } from "../durability/load.ts";
import { SimulatedCaller } from "./threads-caller.ts";
import { AnyChanges } from "./threads-commands.ts";
import { type SystemParts, createSystem } from "./threads-system.ts";

/**
 * Runs a random system with random callers, and returns everything that is wrong with it. Adds to `seen` what happened
 * in the run, see {@link SystemParts.seen}.
 */
export async function complaintsOf(
  seed: number,
  seen: Set<string>,
  Parts: typeof SystemParts,
): Promise<readonly string[]> {
  const simulation = new Simulation(randomFrom(Math.imul(seed, 0x9e3779b1)));
  const count = 1 + simulation.below(8);
  const { fronts, chunks, policies } = await createSystem(
    new Parts(simulation, seen),
    count,
    simulation.chance(0.5) ? 0 : 2 ** 31 - 10,
  );
  const history: Recorded[] = [];
  const paths = Array.from(
    { length: 2 + simulation.below(40) },
    (_, i) => `path/${String.fromCharCode(97 + (i % 26))}${i}`,
  );
  const changes = new AnyChanges(simulation, paths, simulation.chance(0.5) ? 40 : 20_000);
  const remains = (path: string, versions: readonly number[]) => remainsOf(chunks, path, versions);
  const options = { simulation, history, seen, paths, changes, policies, fronts, remains };
  const callers = Array.from({ length: 2 + simulation.below(16) }, (_, i) => {
    const task = { kind: i % 3 === 0 ? ("any" as const) : ("read" as const), calls: 10 + simulation.below(80) };
    return new SimulatedCaller(`c${i}`, fronts[simulation.below(count)]!, task, options);
  });
  for (const caller of callers) caller.begin();
  await simulation.run(() => callers.every(({ isOver }) => isOver));
  if (simulation.faults.length > 0) return simulation.faults;
  // Nothing is lost: each front has every change that was answered.
  for (const front of fronts) new SimulatedCaller("last", front, { kind: "read" }, options).readAll();
  seen.add(`${count} fronts`);
  return [...violations(history), ...policies.complaints()];
}

/**
 * The first of these versions of which sealed bytes are in shared memory. The sealer of this test, `plainSealer`, does
 * not encrypt: its sealed bytes begin with the length of the context and the context of the version.
 */
function remainsOf(
  chunks: ReadonlySet<SharedArrayBuffer>,
  path: string,
  versions: readonly number[],
): string | undefined {
  const found = versions.find((version) => {
    const context = Buffer.from(versionContext(path, version));
    const sealed = Buffer.concat([Buffer.from([context.length]), context]);
    return [...chunks].some((chunk) => Buffer.from(chunk).includes(sealed));
  });
  return found === undefined ? undefined : `version ${found}`;
}
