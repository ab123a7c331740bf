import { MAX_VERSIONS } from "../../src/contract/limits.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import type { Change, VersionRef } from "../../src/store/change.ts";
import type { ReadableMemory } from "../../src/store/memory.ts";
import { Feed } from "../../src/threads/feed.ts";
import type { FeedMessage } from "../../src/threads/port-messages.ts";
import type { ChangesMessage } from "../../src/threads/requests.ts";
import { PublicationProgress } from "../../src/threads/publication-progress.ts";
import { Replica } from "../../src/threads/replica.ts";
import { type ManualPort, manualChannel } from "./manual-port.ts";
import { ManualTimers } from "./manual-timers.ts";

/** A change of the path with the number `path`. `bytes` is the size of the content of a Put. */
export type FollowedChange =
  | { readonly kind: "put"; readonly path: number; readonly bytes: number }
  | { readonly kind: "delete"; readonly path: number };

/** The versions of each path, with their sealed bytes. */
export type Contents = ReadonlyMap<number, readonly string[]>;

/** A front that applies publications when the test delivers them. */
export interface ManualFront {
  readonly replica: Replica;
  readonly port: ManualPort<FeedMessage, ChangesMessage>;
}

/** A feed with fronts. Its changes are like those of a store: the oldest versions are pruned. */
export class FollowedStore {
  readonly timers = new ManualTimers(0);
  readonly fronts: readonly ManualFront[];
  /** The memory of all chunks that were ever created, once each. */
  readonly chunks: SharedArrayBuffer[] = [];
  /** How many chunks were created in the memory of an earlier chunk. */
  reused = 0;
  readonly feed: Feed;
  readonly #paths: readonly number[];
  readonly #refs = new Map<number, VersionRef[]>();
  #revision = 0;

  constructor(fronts: number, paths: number) {
    const progress = PublicationProgress.of(fronts);
    const channels = Array.from({ length: fronts }, () => manualChannel<ChangesMessage, FeedMessage>());
    this.fronts = channels.map(([, port], front) => {
      return { port, replica: new Replica({ port, progress, front, timers: this.timers }) };
    });
    const ports = channels.map(([upper], front) => (front === 0 ? this.#observed(upper) : upper));
    this.feed = new Feed(ports, progress, this.timers);
    this.#paths = Array.from({ length: paths }, (_, i) => i);
  }

  /** Publishes entries of one change each. */
  publish(changes: readonly FollowedChange[]): void {
    this.feed.publish(
      changes.map((change) => {
        this.#revision += 1;
        return { revision: this.#revision, changes: [this.#change(change)] };
      }),
    );
  }

  /** Everything that a memory contains. */
  read(memory: ReadableMemory): Contents {
    return new Map(this.#paths.map((path) => [path, versions(memory, path)]));
  }

  /** Lets enough time pass for bytes to be overwritten. */
  wait(): void {
    this.timers.advance(10);
  }

  #change(change: FollowedChange): Change {
    const common = { path: pathOf(change.path), time: this.#revision, author: `spiffe://a/${change.path % 3}` };
    const refs = this.#refs.get(change.path) ?? [];
    const newest = refs.at(-1);
    if (change.kind === "delete" && newest !== undefined) return { kind: "delete", ...common, versions: [newest] };
    const bytes = change.kind === "put" ? change.bytes : 1;
    const version = (newest?.version ?? 0) + 1;
    const pruned = refs.slice(0, Math.max(0, refs.length - (MAX_VERSIONS - 1)));
    this.#refs.set(change.path, [...refs.slice(pruned.length), { version, revision: this.#revision }]);
    // Never zero, so that overwritten bytes differ.
    return { kind: "put", ...common, version, pruned, sealed: Buffer.alloc(bytes, 1 + (this.#revision % 255)) };
  }

  #observed(port: ManualPort<ChangesMessage, FeedMessage>): ManualPort<ChangesMessage, FeedMessage> {
    return {
      ...port,
      post: (message) => {
        if (message.kind === "publication")
          for (const { memory } of message.chunks?.created ?? []) this.#created(memory);
        port.post(message);
      },
    };
  }

  #created(memory: SharedArrayBuffer): void {
    if (this.chunks.includes(memory)) this.reused += 1;
    else this.chunks.push(memory);
  }
}

function pathOf(path: number) {
  return parseSecretPath(`path/${path}`);
}

function versions(memory: ReadableMemory, path: number): string[] {
  const all = memory.get(pathOf(path))?.versions ?? [];
  return all.map(({ sealed, ...version }) => {
    const bytes = sealed.bytes();
    if (bytes.length !== sealed.length) throw new Error("the bytes have another length");
    if (!bytes.subarray(1).equals(bytes.subarray(0, -1))) throw new Error("the bytes belong to several contents");
    return JSON.stringify({ ...version, byte: bytes[0], length: bytes.length });
  });
}
