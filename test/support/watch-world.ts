import { Authorizer } from "../../src/authorization/authorizer.ts";
import { PathPattern, SpiffeIdPattern } from "../../src/authorization/pattern.ts";
import { Content } from "../../src/domain/content.ts";
import { parseSecretPath, type SecretPath } from "../../src/domain/secret-path.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import type { Change } from "../../src/store/change.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import type { CommittedEntry } from "../../src/store/journal.ts";
import { Memory } from "../../src/store/memory.ts";
import { SealedMemory } from "../../src/store/sealed-memory.ts";
import { NO_WATCHERS, type WatchRegistry } from "../../src/store/watch-registry.ts";
import { findVersion, latestVersion, newest, settingsOf, versionRef } from "../../src/store/secret.ts";
import { versionContext } from "../../src/sealing/context.ts";
import type { Bookmark } from "../../src/watch/bookmark.ts";
import { Sight } from "../../src/watch/sight.ts";
import type { WatchScope } from "../../src/watch/watch-scope.ts";
import { HEARTBEAT_GROUPS, HEARTBEAT_STEP_MS } from "../../src/watch/heartbeats.ts";
import { WatchHub } from "../../src/watch/watch-hub.ts";
import type { WatchLimits } from "../../src/watch/watch-limits.ts";
import { plainSealer } from "./plain-sealer.ts";

/** Begins with a snapshot. */
export const BEGINNING: Bookmark = { revision: 0, policy: "", seen: { revision: 0, timeline: "" } };

export const WATCHING = SpiffeId.parse("spiffe://example.org/watching");

/** Limits that a test reaches with few secrets. */
const LOW_LIMITS: WatchLimits = { pending: 4, pendingStep: 2 };

/** The number of versions that are kept. */
const KEPT = 2;

/** A change of one secret. */
export type SecretChange = "put" | "delete" | "undelete" | "destroy" | "purge" | "settings";

/** What a secret or a tombstone looks like to a watcher that may see it. */
export interface Look {
  readonly revision: number;
  readonly version: number;
  readonly state: string;
  /** The value of a live version. */
  readonly value: string | undefined;
}

/** What a journal retains. */
interface Saved {
  readonly log: readonly CommittedEntry[];
  readonly revision: number;
  readonly forgetting: number;
}

/** The value of a version. `run` is the number of the server's run that has committed it, which is also its time. */
export function versionValue(path: string, version: number, run: number | undefined): string {
  return `${path}@${version} of ${run}`;
}

/** The tasks that run after a turn of the event loop, which the test ends. */
class Turns {
  #tasks: (() => void)[] = [];
  #elapsed = 0;
  readonly #beats: (() => void)[] = [];

  readonly timers = {
    clock: () => 1000,
    elapsed: () => (this.#elapsed += 1),
    afterTurn: (task: () => void) => void this.#tasks.push(task),
    delay: (_ms: number, task: () => void) => {
      this.#beats.push(task);
      return () => void this.#beats.splice(this.#beats.indexOf(task), 1);
    },
  };

  /** Ends a turn. False if nothing was waiting for it. */
  end(): boolean {
    const tasks = this.#tasks.splice(0);
    for (const task of tasks) task();
    return tasks.length > 0;
  }

  /** Lets the time between two heartbeats of each watcher pass. */
  beat(): void {
    for (let group = 0; group < HEARTBEAT_GROUPS; group++) {
      this.#elapsed += HEARTBEAT_STEP_MS;
      for (const task of this.#beats.splice(0)) task();
    }
  }
}

/** A store with a policy and a hub, which the test changes, and a record of what was visible to the caller. */
export class WatchWorld {
  turns = new Turns();
  memory = new Memory(new SealedMemory());
  hub: WatchHub;
  /** For each path, whether it existed at some time at which the caller could see it. */
  readonly everVisible = new Set<string>();
  /** The number of policy changes. */
  policies = 0;
  #patterns: readonly string[];
  #authorizer: Authorizer;
  /** The lowest revision of the copies that were restored. */
  restored = Number.POSITIVE_INFINITY;
  #log: CommittedEntry[] = [];
  #copy: Saved = { log: [], revision: 0, forgetting: 0 };
  /** The number of this run of the server, from 1, and whether it has committed. */
  #run = 1;
  #hasCommitted = false;
  #revision = 0;
  #forgetting = 0;

  readonly #limits: WatchLimits;
  readonly #keepsLog: boolean;
  readonly #registry: WatchRegistry;

  /** Without `keepsLog`, it can't be restarted. */
  constructor(patterns: readonly string[], limits = LOW_LIMITS, keepsLog = true, registry = NO_REGISTRY) {
    this.#registry = registry;
    this.#limits = limits;
    this.#keepsLog = keepsLog;
    this.#patterns = patterns;
    this.#authorizer = authorizerOf(patterns);
    this.memory.publish([FIRST_TIMELINE]);
    this.hub = this.#createHub();
  }

  get authorizer(): Authorizer {
    return this.#authorizer;
  }

  /** Whether the policy lets the caller see a path, by the text of its patterns alone. */
  allows(path: string): boolean {
    return this.#patterns.some((pattern) =>
      pattern.endsWith("**")
        ? path.startsWith(pattern.slice(0, -2)) && path !== pattern.slice(0, -2)
        : path === pattern,
    );
  }

  /** Whether the policy lets the caller see a path with the prefix, by the text of its patterns alone. */
  reaches(prefix: string): boolean {
    return this.#patterns.some((pattern) => {
      const literal = pattern.endsWith("**") ? pattern.slice(0, -2) : pattern;
      return literal.startsWith(prefix) || (pattern.endsWith("**") && prefix.startsWith(literal));
    });
  }

  /** The policy that SYNCED and heartbeats name when everything was sent. */
  fingerprint(scope: WatchScope): string {
    return new Sight(this.#authorizer, WATCHING, { scope, withValues: true }).fingerprint;
  }

  /** The newest state of a path, whether or not the caller may see it. */
  look(path: string): Look | "purged" | undefined {
    const stored = this.memory.get(path as SecretPath);
    if (stored === undefined) return undefined;
    if (stored.kind === "tombstone") return "purged";
    const version = newest(stored);
    const { revision } = stored;
    const state = version?.state.kind ?? "none";
    const value = version && state === "live" ? versionValue(path, version.number, version.createTime) : undefined;
    return { revision, version: version?.number ?? 0, state, value };
  }

  /** Changes secrets in one commit. Changes that are not possible are left out. */
  commit(changes: readonly { readonly path: string; readonly kind: SecretChange }[]): void {
    const once = new Map(changes.map((change) => [change.path, change.kind]));
    const all = [...once].flatMap(([path, kind]) => this.#changes(parseSecretPath(path), kind));
    if (all.length > 0) this.#publish(all);
  }

  /** Forgets all tombstones, as the sweep does after their retention. */
  forget(): void {
    const paths: SecretPath[] = [];
    for (let at = this.memory.tombstoneAtOrAfter(""); at !== undefined; at = this.memory.tombstoneAtOrAfter(`${at}\0`))
      paths.push(at);
    if (paths.length === 0) return;
    this.#publish(paths.map((path) => ({ kind: "forget", path, time: 1, author: "" })));
    this.#forgetting = this.#revision;
  }

  setPolicy(patterns: readonly string[]): void {
    this.#patterns = patterns;
    this.#authorizer = authorizerOf(patterns);
    this.policies += 1;
    this.#see();
    this.hub.policyChanged();
  }

  /** Copies what the journal retains. */
  backUp(): void {
    this.#copy = { log: [...this.#log], revision: this.#revision, forgetting: this.#forgetting };
  }

  /** A new process, which has loaded the last copy, or an empty journal of the same store. */
  restore(): void {
    const { log, revision, forgetting } = this.#copy;
    this.#log = [...log];
    this.#revision = revision;
    this.#forgetting = forgetting;
    this.restored = Math.min(this.restored, revision);
    this.restart();
  }

  /** A new process, which has loaded what the journal retains. */
  restart(): void {
    this.#run += 1;
    this.#hasCommitted = false;
    this.turns = new Turns();
    this.memory = new Memory(new SealedMemory());
    this.memory.publish([FIRST_TIMELINE, ...this.#log]);
    const revision = this.#forgetting;
    if (revision > 0) this.memory.publish([{ revision, changes: [], requests: undefined, forgotten: revision }]);
    this.hub = this.#createHub();
  }

  #createHub(): WatchHub {
    const { memory, turns } = this;
    return new WatchHub({
      memory,
      sealer: plainSealer,
      clock: { now: () => 1000 },
      timers: turns.timers,
      random: (target) => target.fill(1),
      authorizer: () => this.#authorizer,
      registry: this.#registry,
      limits: this.#limits,
    });
  }

  #publish(changes: readonly Change[]): void {
    const first = this.#revision + 1;
    // As in the store: a commit takes a revision for each put.
    this.#revision += Math.max(1, changes.filter(({ kind }) => kind === "put").length);
    const committed = { revision: this.#revision, changes, requests: undefined };
    const entry = this.#hasCommitted ? committed : { ...committed, timeline: { first, id: `run ${this.#run}` } };
    this.#hasCommitted = true;
    if (this.#keepsLog) this.#log.push(entry);
    this.memory.publish([entry]);
    this.#see(changes.map(({ path }) => path));
  }

  #see(paths: Iterable<string> = this.#paths()): void {
    for (const path of paths) if (this.#exists(path) && this.allows(path)) this.everVisible.add(path);
  }

  #exists(path: string): boolean {
    return this.memory.get(path as SecretPath)?.kind === "secret";
  }

  *#paths(): Generator<string> {
    for (let secret = this.memory.atOrAfter(""); secret; secret = this.memory.atOrAfter(`${secret.path}\0`))
      yield secret.path;
  }

  #changes(path: SecretPath, kind: SecretChange): Change[] {
    const stored = this.memory.get(path);
    const made = { path, time: this.#run, author: "spiffe://example.org/author" };
    const settings = { ...settingsOf(stored), maxVersions: KEPT };
    const isBegun = stored?.kind === "secret";
    if (kind === "put") {
      const number = latestVersion(stored) + 1;
      const pruned = isBegun ? stored.versions.slice(0, Math.max(0, stored.versions.length + 1 - KEPT)) : [];
      const content = Content.unchecked([
        { key: "k", kind: "text", value: Buffer.from(versionValue(path, number, made.time)) },
      ]);
      const sealed = plainSealer.seal(encodeContent(content), versionContext(path, number));
      const put = {
        ...{ kind: "put" as const, ...made, version: number, sealed, expireTime: undefined, rowsBefore: 0 },
        pruned: pruned.map(versionRef),
      };
      return stored?.kind === "tombstone" ? [{ kind: "settings", ...made, settings, pruned: [] }, put] : [put];
    }
    if (kind === "settings") return [{ kind, ...made, settings, pruned: [] }];
    if (!isBegun) return [];
    if (kind === "purge")
      return [{ kind, ...made, lastVersion: latestVersion(stored), versions: stored.versions.map(versionRef) }];
    const last = newest(stored);
    const from = { delete: "live", undelete: "deleted", destroy: "live" }[kind];
    if (last === undefined || findVersion(stored, last.number)?.state.kind !== from) return [];
    const state = ({ delete: "deleted", undelete: "live", destroy: "destroyed" } as const)[kind];
    return [{ kind: "state", ...made, state, versions: [versionRef(last)] }];
  }
}

/** The timeline of the revisions before the first commit. */
const FIRST_TIMELINE: CommittedEntry = {
  revision: 0,
  changes: [],
  requests: undefined,
  timeline: { first: 0, id: "store" },
};

/** Knows no watch. */
const NO_REGISTRY: WatchRegistry = {
  ...NO_WATCHERS,
  opened: (_watch, registered) => registered(),
  closed: () => {},
  report: () => {},
};

let epoch = 0;

function authorizerOf(patterns: readonly string[]): Authorizer {
  const paths = patterns.map((pattern) => PathPattern.parse(pattern));
  const spiffeIds = [SpiffeIdPattern.parse(WATCHING.toString())];
  const actions = new Set(["watch", "read"] as const);
  const rules = paths.length === 0 ? [] : [{ name: "watching", spiffeIds, paths, actions }];
  return new Authorizer({ policy: { rules }, admins: [], epoch: epoch++ });
}
