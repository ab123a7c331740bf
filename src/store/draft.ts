import type { Clock } from "../domain/timers.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { Change } from "./change.ts";
import type { Memory } from "./memory.ts";
import type { SealedBytes } from "./sealed-contents.ts";
import { type StoredSecret, UNCOMMITTED, applyChange } from "./secret.ts";

/**
 * The state of the store after the operations of a group that were accepted so far. The operations of the group are
 * validated against it in order. It is discarded with the group.
 */
export class Draft {
  readonly #memory: Memory;
  readonly #changed = new Map<SecretPath, StoredSecret>();
  #bytes: number;
  /**
   * The time of every change of the group, in milliseconds: the clock's time, or that of the last change if it is
   * later.
   */
  readonly time: number;

  constructor(memory: Memory, clock: Clock) {
    this.#memory = memory;
    this.#bytes = memory.totals.bytes;
    this.time = Math.max(clock(), memory.lastTime);
  }

  /** The size of the store after the accepted operations, in bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get(path: SecretPath): StoredSecret | undefined {
    return this.#changed.get(path) ?? this.#memory.get(path);
  }

  /** Returns the effect of a change without accepting it. */
  effect(change: Change): Effect {
    const before = this.get(change.path);
    const after = applyChange(before, change, UNCOMMITTED, unpacked);
    return { after, growth: this.#memory.sizeOf(after) - this.#memory.sizeOf(before) };
  }

  accept({ after, growth }: Effect): void {
    this.#bytes += growth;
    this.#changed.set(after.path, after);
  }
}

/** A draft exists only as long as its group, so its bytes are not packed. */
function unpacked(sealed: Buffer): SealedBytes {
  return { length: sealed.length, bytes: () => sealed };
}

/** The secret after a change, and the number of bytes by which the store grows. */
export interface Effect {
  readonly after: StoredSecret;
  readonly growth: number;
}
