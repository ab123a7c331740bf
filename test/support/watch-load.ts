import type * as wire from "../../src/contract/messages.ts";
import type { Caller, ServerKit } from "./server-kit.ts";
import { Watching } from "./watching.ts";

/** What a watcher knows of a secret. */
interface Known {
  readonly version: number;
  readonly revision: number;
}

/**
 * A workload that watches a prefix, is killed, and resumes. It keeps what it knows as docs/watch.md says, and checks the
 * order of what it receives.
 */
export class ResumingWatcher {
  readonly known = new Map<string, Known>();
  /** Descriptions of what was wrong. */
  readonly faults: string[] = [];
  resyncs = 0;
  readonly #prefix: string;
  readonly #check: (path: string, version: number) => void;
  readonly #stale = new Set<string>();
  #bookmark = { fromRevision: 0, policy: "" };
  #watching: Watching | undefined;
  #caller: Caller | undefined;
  #isSynced = false;
  #highest = 0;
  /** Whether the effect of a policy change is being sent. Revisions then can be lower than those of earlier events. */
  #isChanging = false;
  #generation = 0;

  /** `check` is called with the path and the version of each secret that arrives. */
  constructor(prefix: string, check: (path: string, version: number) => void) {
    this.#prefix = prefix;
    this.#check = check;
  }

  /** Whether the current watch has received its snapshot, so that it knows what vanished before. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Connects, on a connection of its own. */
  resume(kit: ServerKit, id: string): void {
    const generation = ++this.#generation;
    this.#caller = kit.caller(id);
    this.#isSynced = false;
    this.#highest = 0;
    if (this.#bookmark.fromRevision === 0) this.#forgetAll();
    const watching = new Watching(this.#caller, { prefixes: [this.#prefix], withValues: true, ...this.#bookmark });
    this.#watching = watching;
    watching.stream.on("data", (event: wire.WatchResponse) => {
      if (generation === this.#generation) this.#receive(event);
    });
  }

  /** Cancels the watch and closes its connection. Ignores what still arrives. */
  kill(): void {
    this.#generation += 1;
    this.#watching?.cancel();
    this.#caller?.close();
  }

  /** Resolves when the current watch has ended. */
  async ended(): Promise<void> {
    await this.#watching?.ended();
  }

  /** Resolves when an event of this path and at least this revision has arrived on the current watch. */
  async sees(path: string, revision: number): Promise<void> {
    await this.#watching!.first((_text, event) => this.#isOf(path, event) && event.revision >= revision);
  }

  #isOf(path: string, { event }: wire.WatchResponse): boolean {
    return event?.kind === "secret" && event.value.path === path;
  }

  #receive({ event, revision }: wire.WatchResponse): void {
    switch (event?.kind) {
      case "secret":
        this.#receiveSecret(event.value, revision);
        return;
      case "revoked":
        this.known.delete(event.value.path);
        this.#stale.delete(event.value.path);
        return;
      case "resync":
        this.resyncs += 1;
        this.#isSynced = false;
        this.#highest = 0;
        this.#bookmark = { fromRevision: 0, policy: "" };
        this.#forgetAll();
        return;
      case "synced":
        for (const path of this.#stale) this.known.delete(path);
        this.#stale.clear();
        this.#isSynced = true;
        this.#isChanging = false;
        this.#bookmark = { fromRevision: revision, policy: event.value.policy };
        return;
      case "heartbeat":
        this.#isChanging = event.value.policy === "-";
        this.#bookmark = { fromRevision: revision, policy: event.value.policy };
    }
  }

  #receiveSecret({ path, version, purged, data }: wire.WatchedSecret, revision: number): void {
    const before = this.known.get(path);
    if (!purged) this.#check(path, version);
    if (this.#isSynced && !this.#isChanging) {
      if (revision < this.#highest) this.faults.push(`${path}: revision ${revision} after ${this.#highest}`);
      this.#highest = revision;
    }
    if (before !== undefined && revision < before.revision)
      this.faults.push(`${path}: revision ${revision} after ${before.revision} of the same secret`);
    const [entry] = data;
    const value = entry && Buffer.from(entry.value).toString();
    if (!purged && entry !== undefined && value !== `${path}@${version}`)
      this.faults.push(`${path}: version ${version} has the value ${value}`);
    this.#stale.delete(path);
    if (purged) this.known.delete(path);
    else this.known.set(path, { version, revision });
  }

  #forgetAll(): void {
    for (const path of this.known.keys()) this.#stale.add(path);
  }
}
