import type { Clock } from "../domain/timers.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Change } from "./change.ts";
import type { Memory } from "./memory.ts";
import type { SealedBytes } from "./sealed-memory.ts";
import { type StoredSecret, UNCOMMITTED, applyChange, memoryBytes } from "./secret.ts";

/**
 * Memory as it will be when the operations accepted so far have been committed. The operations of a group are validated
 * against it one after the other; it is thrown away with the group.
 */
export class Draft {
  readonly #memory: Memory;
  readonly #changed = new Map<SecretPath, StoredSecret>();
  #bytes: number;
  /** The time of every change of the group, in milliseconds: the clock's, but never before an earlier change's. */
  readonly time: number;

  constructor(memory: Memory, clock: Clock) {
    this.#memory = memory;
    this.#bytes = memory.totals.bytes;
    this.time = Math.max(clock(), memory.lastTime);
  }

  /** Bytes of memory that the store will take. */
  get bytes(): number {
    return this.#bytes;
  }

  get(path: SecretPath): StoredSecret | undefined {
    return this.#changed.get(path) ?? this.#memory.get(path);
  }

  /** What a change would do. */
  effect(change: Change): Effect {
    const before = this.get(change.path);
    const after = applyChange(before, change, UNCOMMITTED, asItIs);
    return { after, growth: memoryBytes(after) - memoryBytes(before) };
  }

  accept({ after, growth }: Effect): void {
    this.#bytes += growth;
    this.#changed.set(after.path, after);
  }
}

/** A draft lives as long as its group: its bytes are not packed. */
function asItIs(sealed: Buffer): SealedBytes {
  return { length: sealed.length, bytes: () => sealed };
}

/** What a change does to its secret, and by how many bytes the store grows. */
export interface Effect {
  readonly after: StoredSecret;
  readonly growth: number;
}
