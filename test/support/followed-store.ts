import { setImmediate } from "node:timers/promises";
import { MAX_VERSIONS } from "../../src/contract/limits.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import type { Change, VersionRef } from "../../src/store/change.ts";
import { DEFAULT_SETTINGS } from "../../src/store/settings.ts";
import type { ReadableMemory } from "../../src/store/memory.ts";
import { Feed } from "../../src/threads/feed.ts";
import type { FeedMessage } from "../../src/threads/port-messages.ts";
import type { ChangesMessage } from "../../src/threads/requests.ts";
import { PublicationProgress } from "../../src/threads/publication-progress.ts";
import { Replica } from "../../src/threads/replica.ts";
import { type ManualPort, manualChannel } from "./manual-port.ts";
import { ManualTimers } from "./manual-timers.ts";

/**
 * A change of the path with this number. A Put has a content of this many bytes. A Destroy removes the contents of all
 * versions. All other changes concern the newest version.
 */
export type FollowedChange =
  | { readonly kind: "put"; readonly path: number; readonly bytes: number }
  | { readonly kind: "delete" | "undelete" | "destroy" | "purge"; readonly path: number };

interface FollowedSecret {
  readonly last: number;
  readonly refs: readonly VersionRef[];
  readonly isPurged?: boolean;
}

type Made = Pick<Change, "path" | "time" | "author">;

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
  /** Runs after each message is posted to a front, as if the store thread were preempted. */
  onPost = () => {};
  readonly feed: Feed;
  readonly #paths: readonly number[];
  readonly #secrets = new Map<number, FollowedSecret>();
  readonly #destroyed = new Set<string>();
  #revision = 0;

  constructor(fronts: number, paths: number) {
    const progress = PublicationProgress.of(fronts);
    const channels = Array.from({ length: fronts }, () => manualChannel<ChangesMessage, FeedMessage>());
    this.fronts = channels.map(([, port], front) => {
      return { port, replica: new Replica({ port, progress, front, timers: this.timers }) };
    });
    const ports = channels.map(([upper], front) => this.#observed(upper, front === 0));
    this.feed = new Feed(ports, progress, this.timers);
    this.#paths = Array.from({ length: paths }, (_, i) => i);
  }

  /** Publishes an entry for each change. */
  publish(changes: readonly FollowedChange[]): void {
    this.feed.publish(
      changes.map((change) => {
        this.#revision += 1;
        return { revision: this.#revision, changes: this.#changes(change), requests: undefined };
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

  /**
   * Advances the time until the feed has looked at the progress of its fronts, and waits until its promises have
   * resolved.
   */
  async look(): Promise<void> {
    this.wait();
    await setImmediate();
    this.wait();
    await setImmediate();
  }

  #changes({ kind, path, ...rest }: FollowedChange): readonly Change[] {
    const made = { path: pathOf(path), time: this.#revision, author: `spiffe://a/${path % 3}` };
    const secret = this.#secrets.get(path) ?? { last: 0, refs: [] };
    if (kind === "purge") return [this.#purge(path, made, secret)];
    if (kind === "put") return this.#put(path, made, { bytes: 1, ...rest });
    const versions = kind === "destroy" ? secret.refs : secret.refs.slice(-1);
    const state = kind === "undelete" ? "live" : kind === "delete" ? "deleted" : "destroyed";
    const changed = versions.filter(({ version }) => !this.#destroyed.has(`${path} ${version}`));
    if (state === "destroyed") for (const { version } of changed) this.#destroyed.add(`${path} ${version}`);
    return changed.length === 0 ? [] : [{ kind: "state", ...made, state, versions: changed }];
  }

  #purge(path: number, made: Made, { last, refs }: FollowedSecret): Change {
    this.#secrets.set(path, { last, refs: [], isPurged: true });
    return { kind: "purge", ...made, lastVersion: last, versions: refs };
  }

  #put(path: number, made: Made, { bytes }: { readonly bytes: number }): readonly Change[] {
    const { last, refs, isPurged = false } = this.#secrets.get(path) ?? { last: 0, refs: [] };
    const version = last + 1;
    const pruned = refs.slice(0, Math.max(0, refs.length - (MAX_VERSIONS - 1)));
    this.#secrets.set(path, { last: version, refs: [...refs.slice(pruned.length), { version, row: this.#revision }] });
    const put: Change = {
      ...{ kind: "put", ...made, version, pruned, expireTime: undefined, rowsBefore: 0 },
      // Never zero, so that overwritten bytes differ.
      sealed: Buffer.alloc(bytes, 1 + (this.#revision % 255)),
    };
    if (!isPurged) return [put];
    const settings = { ...DEFAULT_SETTINGS, firstVersion: version };
    return [{ kind: "settings", ...made, settings, pruned: [] }, put];
  }

  #observed(port: ManualPort<ChangesMessage, FeedMessage>, isFirst: boolean): ManualPort<ChangesMessage, FeedMessage> {
    return {
      ...port,
      post: (message) => {
        if (isFirst && message.kind === "publication")
          for (const { memory } of message.chunks?.created ?? []) this.#created(memory);
        port.post(message);
        this.onPost();
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
  const stored = memory.get(pathOf(path));
  if (stored?.kind === "tombstone") return [JSON.stringify(stored)];
  return (stored?.versions ?? []).map(({ sealed, ...version }) => {
    const bytes = sealed.bytes();
    if (bytes.length !== sealed.length) throw new Error("the bytes have another length");
    if (!bytes.subarray(1).equals(bytes.subarray(0, -1))) throw new Error("the bytes belong to several contents");
    return JSON.stringify({ ...version, byte: bytes[0], length: bytes.length });
  });
}
