import { contentOf } from "../support/dump.ts";
import type { Caller, Outcome } from "../support/server-kit.ts";
import type { Ledger } from "../support/ledger.ts";

/**
 * Returns numbers below 1 from a seed (a linear congruential generator, Numerical Recipes), so that a load is
 * repeatable.
 */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The paths of a load. They are few, so that writers conflict and old versions are pruned. */
export const LOAD_PATHS: readonly string[] = Array.from({ length: 16 }, (_, i) => `load/${String(i).padStart(2, "0")}`);

export interface LoadOptions {
  readonly callers: readonly Caller[];
  readonly ledger: Ledger;
  /** Distinguishes the values of this load from those of other loads with the same ledger. */
  readonly name: string;
  readonly writers: number;
  /** Called after each answer that acknowledges a change. */
  readonly onAcknowledged: () => void;
}

/**
 * Runs writers that put and delete, and one reader on each connection that records what it reads, until the server
 * stops responding. Each of them has one call in progress.
 */
export async function writeUntilGone({ writers, callers, ...rest }: LoadOptions): Promise<void> {
  const names = Array.from({ length: writers }, (_, i) => i);
  const writing = names.map((i) => write(i, callers[i % callers.length]!, rest));
  await Promise.all([...writing, ...callers.map((caller) => read(caller, rest.ledger))]);
}

async function read(caller: Caller, ledger: Ledger): Promise<void> {
  for (let n = 0; ; n++) {
    const path = LOAD_PATHS[n % LOAD_PATHS.length]!;
    const outcome = await caller.get({ path });
    if (outcome.code === "OK") ledger.recordRead(path, outcome);
    else if (outcome.code !== "NOT_FOUND") return;
  }
}

type WriterOptions = Omit<LoadOptions, "callers" | "writers">;

async function write(writer: number, caller: Caller, { ledger, name, onAcknowledged }: WriterOptions): Promise<void> {
  const random = randomFrom(Number.parseInt(Buffer.from(`${name}/${writer}`).toString("hex").slice(-8), 16));
  const latest = new Map<string, number>();
  for (let n = 0; ; n++) {
    const path = LOAD_PATHS[Math.floor(random() * LOAD_PATHS.length)]!;
    const outcome = await step(ledger, caller, path, `${name}/${writer}/${n}`, random(), latest.get(path));
    const { code, response } = outcome;
    if (code === "OK" && response.version !== undefined) latest.set(path, response.version);
    if (code === "OK") onAcknowledged();
    if (!["OK", "ABORTED", "NOT_FOUND"].includes(code)) return;
  }
}

/**
 * Makes one call: in most cases a Put without an expected version, else a Put that expects the writer's last version,
 * or a Delete.
 */
function step(
  ledger: Ledger,
  caller: Caller,
  path: string,
  value: string,
  choice: number,
  known: number | undefined,
): Promise<Outcome> {
  if (choice < 0.2) {
    const versions = choice < 0.1 || known === undefined ? [] : [known];
    return ledger.record({ kind: "delete", path, versions }, () => caller.delete({ path, versions }));
  }
  const expected = choice < 0.35 && known !== undefined ? { expected_version: known } : {};
  return ledger.record({ kind: "put", path, value }, () => caller.put({ path, ...contentOf(value), ...expected }));
}
