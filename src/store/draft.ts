import type { SecretPath } from "../domain/secret-path.ts";
import { applyChange } from "./apply-change.ts";
import type { Change } from "./change.ts";
import type { AnsweredRequest } from "./journal.ts";
import type { Memory } from "./memory.ts";
import { type Remembered, RequestTable, requestBytes } from "./request-table.ts";
import type { SealedBytes } from "./sealed-contents.ts";
import { type Stored, UNCOMMITTED } from "./secret.ts";

/**
 * The state of the store after the commands of a group that were accepted so far. The commands of the group are
 * validated against it in order. It is discarded with the group.
 */
export class Draft {
  readonly #memory: Memory;
  readonly #requests: RequestTable;
  readonly #changed = new Map<SecretPath, Stored | undefined>();
  /** The requests of the group. */
  readonly #accepted = new RequestTable();
  #bytes: number;
  #work = 0;
  /** The time of every change of the group, in milliseconds by the store's clock. */
  readonly time: number;

  constructor(memory: Memory, requests: RequestTable, time: number) {
    this.#memory = memory;
    this.#requests = requests;
    this.#bytes = memory.totals.bytes + requests.bytes;
    this.time = time;
  }

  /** The size of the store after the accepted commands, in bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * What the validation of the commands has cost so far, in bytes: as long as it takes to seal so many. It includes refused
   * commands. See {@link Fork.spend}.
   */
  get work(): number {
    return this.#work;
  }

  /** Adds to {@link work}. */
  spend(bytes: number): void {
    this.#work += bytes;
  }

  get(path: SecretPath): Stored | undefined {
    const changed = this.#changed.get(path);
    return changed !== undefined || this.#changed.has(path) ? changed : this.#memory.get(path);
  }

  /** Whether the accepted commands of the group, or the command that is being planned, change what is stored for a path. */
  isChanged(path: SecretPath): boolean {
    return this.get(path) !== this.#memory.get(path);
  }

  /** The size of what is stored for a path. */
  sizeOf(stored: Stored | undefined): number {
    return this.#memory.sizeOf(stored);
  }

  /**
   * A request that is remembered, or was accepted in this group. In the second case, its answer may have no revision
   * yet.
   */
  findRequest(caller: string, id: string): Remembered | undefined {
    return this.#accepted.find(caller, id) ?? this.#requests.find(caller, id);
  }

  /** The number of operations in the requests of a caller that are remembered, or accepted in this group. */
  requestedOperationsOf(caller: string): number {
    return this.#requests.operationsOf(caller) + this.#accepted.operationsOf(caller);
  }

  /** Accepts a request as part of the group. */
  remember(request: AnsweredRequest): void {
    this.#accepted.remember(request, UNCOMMITTED);
    this.#bytes += requestBytes(request.results);
  }

  /** Sets what is stored for a path. The store grows by `growth` bytes. */
  set(path: SecretPath, stored: Stored | undefined, growth: number): void {
    this.#changed.set(path, stored);
    this.#bytes += growth;
  }
}

/** What was stored for a path before a change. */
interface Undo {
  readonly path: SecretPath;
  readonly before: Stored | undefined;
  readonly growth: number;
}

/** The changes of one command. They become a part of the draft at once, and {@link drop} removes them again. */
export class Fork {
  readonly author: string;
  readonly #draft: Draft;
  readonly #changes: Change[] = [];
  readonly #undo: Undo[] = [];
  #growth = 0;

  /** `author` is the SPIFFE ID of the caller; empty if the server makes the changes. */
  constructor(draft: Draft, author: string) {
    this.#draft = draft;
    this.author = author;
  }

  /** The time of the changes. */
  get time(): number {
    return this.#draft.time;
  }

  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** The number of bytes by which the changes let the store grow. */
  get growth(): number {
    return this.#growth;
  }

  get(path: SecretPath): Stored | undefined {
    return this.#draft.get(path);
  }

  /** Counts the decryption of a content of this size, or a change of the same cost. */
  spend(bytes: number): void {
    this.#draft.spend(bytes);
  }

  apply(change: Change): void {
    const before = this.#draft.get(change.path);
    const after = applyChange(before, change, UNCOMMITTED, unpacked);
    const growth = this.#draft.sizeOf(after) - this.#draft.sizeOf(before);
    this.#changes.push(change);
    this.spend(workOf(change));
    this.#undo.push({ path: change.path, before, growth });
    this.#growth += growth;
    this.#draft.set(change.path, after, growth);
  }

  /** Undoes all changes. */
  drop(): void {
    for (const { path, before, growth } of this.#undo.reverse()) this.#draft.set(path, before, -growth);
    overwriteSealed(this.#changes);
  }
}

// The cost of writing or removing a version's row: it takes as long as sealing and writing this many bytes.
const ROW_WORK = 1024;

/** What a change costs, in bytes. */
function workOf(change: Change): number {
  switch (change.kind) {
    case "put":
      return change.sealed.length + ROW_WORK * (1 + change.pruned.length);
    case "settings":
      return ROW_WORK * (1 + change.pruned.length);
    case "forget":
      return ROW_WORK;
    default:
      return ROW_WORK * (1 + change.versions.length);
  }
}

/**
 * Overwrites the sealed contents of changes. Call it when the changes are committed and copied, or when they will not
 * be committed. Otherwise the memory would still contain a sealed content after it is destroyed, until the garbage
 * collector frees the memory and something else overwrites it.
 */
export function overwriteSealed(changes: readonly Change[]): void {
  for (const change of changes) if (change.kind === "put") change.sealed.fill(0);
}

/** A draft exists only as long as its group, so its bytes are not packed. */
function unpacked(sealed: Buffer): SealedBytes {
  return { length: sealed.length, bytes: () => sealed };
}
