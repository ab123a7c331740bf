/** Text or bytes of a secret by key. The bytes are written as text too. */
export type Values = Readonly<Record<string, string>>;

/** The limits of the stores under test. */
export const LIMITS = { contentBytes: 24, requestIds: 2, tombstoneMs: 20 * 3_600_000 };

const REQUEST_MS = 24 * 3_600_000;

/** An operation. Paths, keys and values are plain strings; `expected` is expected_version. */
export type ModelOperation = { readonly path: string; readonly expected: number | undefined } & (
  | { readonly kind: "put"; readonly values: Values; readonly at?: number; readonly after?: number }
  | { readonly kind: "patch"; readonly values: Values; readonly removed: readonly string[] }
  | { readonly kind: "delete" | "undelete" | "destroy"; readonly versions: readonly number[] }
  | { readonly kind: "copy"; readonly source: string; readonly version: number }
  | { readonly kind: "purge" }
  | ({ readonly kind: "metadata" } & ModelUpdate)
);

/** A change of settings; what is absent remains as it is. */
export interface ModelUpdate {
  readonly maxVersions?: number;
  readonly set?: Values;
  readonly unset?: readonly string[];
  readonly description?: string;
  readonly ttl?: number;
  readonly cas?: boolean;
}

/** A command. `id` is the request_id. */
export interface ModelCommand {
  readonly author: string;
  readonly operations: readonly ModelOperation[];
  readonly guards: readonly { readonly path: string; readonly expected: number }[];
  readonly id: string | undefined;
}

/** One version of the model. */
export interface ModelVersion {
  readonly number: number;
  /** Undefined if it was removed. */
  values: Values | undefined;
  readonly revision: number;
  readonly time: number;
  readonly author: string;
  readonly expires: number | undefined;
  state: "live" | "deleted" | "destroyed" | "expired";
  /** The last change of the state. */
  changed: { readonly revision: number; readonly time: number; readonly by: string } | undefined;
}

/** The settings of a secret. */
interface ModelSettings {
  maxVersions: number;
  labels: Record<string, string>;
  description: string;
  ttl: number;
  cas: boolean;
}

/** A secret, or what remains of it after a purge: then there is a `purged`, no version and no settings. */
export interface ModelSecret {
  /** The number of the last version that was ever added. */
  last: number;
  versions: ModelVersion[];
  settings: ModelSettings;
  /** The revision of the last change. */
  revision: number;
  purged: { readonly time: number } | undefined;
}

/** What an operation did. */
interface ModelResult {
  readonly versions: readonly number[];
  readonly expireTime: number | undefined;
}

/** An accepted command: its results, and whether it changed anything. */
export interface Accepted {
  readonly results: readonly ModelResult[];
  readonly isChange: boolean;
}

/** A refusal, with its reason. */
export class Refusal extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** A request that is remembered: the text of its command, and its answer. */
export interface ModelRequest {
  readonly author: string;
  readonly id: string;
  readonly text: string;
  readonly time: number;
  readonly answer: unknown;
  /** The number of operations, each of which counts toward the limit. */
  readonly operations: number;
}

/** The state of a version at a time. */
export function stateOf(version: ModelVersion, now: number): ModelVersion["state"] {
  if (version.state === "destroyed") return "destroyed";
  return version.expires !== undefined && version.expires <= now ? "expired" : version.state;
}

/**
 * A second implementation of the store's contract, with objects and loops, without groups, sealing, drafts and journals.
 */
export class StoreModel {
  secrets = new Map<string, ModelSecret>();
  requests: ModelRequest[] = [];
  /** The revision of the latest change. */
  revision = 0;

  /** Returns what a command would do now, without applying it; throws a {@link Refusal}. */
  resultOf(command: ModelCommand, time: number): Accepted {
    return new StoreModel().#copyOf(this).apply(command, -1, time);
  }

  /** Applies a command with a revision and a time. Throws a {@link Refusal}. */
  apply(command: ModelCommand, revision: number, time: number): Accepted {
    for (const { path, expected } of command.guards) this.#expect(path, expected);
    let isChange = false;
    let bytes = 0;
    const results = command.operations.map((operation, index) => {
      const before = JSON.stringify([...this.secrets]);
      const versions = this.#perform(operation, { revision, time, by: command.author });
      isChange ||= JSON.stringify([...this.secrets]) !== before;
      const added = ["put", "patch", "copy"].includes(operation.kind);
      if (added) bytes += bytesOf(this.#secret(operation.path).versions.at(-1)!.values!);
      if (index > 0 && bytes > LIMITS.contentBytes) throw new Refusal("LIMIT_EXCEEDED");
      return { versions, expireTime: added ? this.#secret(operation.path).versions.at(-1)!.expires : undefined };
    });
    if (isChange) this.revision = revision;
    return { results, isChange };
  }

  /** The answered request with the same id. */
  requestOf({ author, id }: ModelCommand): ModelRequest | undefined {
    return this.requests.find((request) => request.author === author && request.id === id);
  }

  /** Does what the passing of time requires. Returns whether anything changed; requests count too. */
  sweep(revision: number, time: number): boolean {
    let isChange = false;
    for (const [path, secret] of this.secrets) {
      for (const version of secret.versions) {
        if (stateOf(version, time) !== "expired" || version.state === "expired") continue;
        this.#setState(secret, version, "expired", { revision, time, by: "" });
        isChange = true;
      }
      if (secret.purged === undefined || secret.purged.time + LIMITS.tombstoneMs > time) continue;
      this.secrets.delete(path);
      isChange = true;
    }
    const kept = this.requests.filter((request) => request.time >= time - REQUEST_MS);
    isChange ||= kept.length < this.requests.length;
    this.requests = kept;
    if (isChange) this.revision = revision;
    return isChange;
  }

  #copyOf(model: StoreModel): this {
    this.secrets = structuredClone(model.secrets);
    return this;
  }

  #perform(operation: ModelOperation, by: Made): number[] {
    const { path, expected } = operation;
    switch (operation.kind) {
      case "put":
        this.#expectReplaced(path, expected);
        if (operation.at !== undefined && operation.at <= by.time) throw new Refusal("INVALID_FIELD");
        return this.#add(path, operation.values, operation.at ?? (operation.after && by.time + operation.after), by);
      case "patch": {
        this.#requireVersions(path);
        this.#expectReplaced(path, expected);
        const values = patched(this.#readable(path, 0, by.time), operation.values, operation.removed);
        return this.#add(path, values, undefined, by);
      }
      case "copy": {
        this.#requireVersions(operation.source);
        this.#expectReplaced(path, expected);
        return this.#add(path, this.#readable(operation.source, operation.version, by.time), undefined, by);
      }
      case "purge":
        return this.#purge(path, expected, by);
      case "metadata":
        this.#expect(path, expected);
        return this.#update(path, operation, by);
      default:
        this.#requireVersions(path);
        this.#expect(path, expected);
        return this.#states(path, operation.kind, operation.versions, by);
    }
  }

  #add(path: string, values: Values, expires: number | undefined, { revision, time, by: author }: Made): number[] {
    const secret = this.secrets.get(path) ?? newSecret();
    this.secrets.set(path, secret);
    secret.purged = undefined;
    secret.last += 1;
    secret.revision = revision;
    const { ttl } = secret.settings;
    const number = secret.last;
    const at = expires ?? (ttl === 0 ? undefined : time + ttl);
    secret.versions.push({ number, values, revision, time, author, expires: at, state: "live", changed: undefined });
    prune(secret);
    return [number];
  }

  #states(path: string, kind: "delete" | "undelete" | "destroy", named: readonly number[], by: Made): number[] {
    const secret = this.#secret(path);
    const numbers = named.length === 0 ? [secret.versions.at(-1)!.number] : named;
    for (const number of [...numbers].sort((a, b) => a - b)) this.#version(path, number);
    const versions = secret.versions.filter(({ number }) => numbers.includes(number));
    const changed: number[] = [];
    for (const version of versions) {
      const state = stateOf(version, by.time);
      if (kind === "undelete" && state === "destroyed") throw new Refusal("VERSION_DESTROYED");
      if (kind === "undelete" && state === "expired") throw new Refusal("VERSION_EXPIRED");
    }
    for (const version of versions) {
      const state = stateOf(version, by.time);
      if (kind === "destroy" && state === "expired" && version.state !== "expired") {
        this.#setState(secret, version, "expired", { ...by, by: "" });
      }
      if (FROM[kind].includes(state)) {
        this.#setState(secret, version, TO[kind], by);
        changed.push(version.number);
      }
    }
    return changed;
  }

  #setState(secret: ModelSecret, version: ModelVersion, state: ModelVersion["state"], by: Made): void {
    version.state = state;
    version.changed = by;
    if (state === "destroyed" || state === "expired") version.values = undefined;
    secret.revision = by.revision;
  }

  #purge(path: string, expected: number | undefined, { revision, time }: Made): number[] {
    const secret = this.secrets.get(path);
    if (secret === undefined || secret.purged !== undefined) throw new Refusal("SECRET_NOT_FOUND");
    this.#expect(path, expected);
    this.secrets.set(path, { ...newSecret(), last: secret.last, revision, purged: { time } });
    return secret.last === 0 ? [] : [secret.last];
  }

  #update(path: string, update: ModelUpdate, { revision }: Made): number[] {
    const existing = this.secrets.get(path);
    const secret = existing ?? newSecret();
    const labels = { ...secret.settings.labels };
    for (const key of update.unset ?? []) delete labels[key];
    const settings: ModelSettings = {
      maxVersions: update.maxVersions ?? secret.settings.maxVersions,
      labels: sorted({ ...labels, ...update.set }),
      description: update.description ?? secret.settings.description,
      ttl: update.ttl ?? secret.settings.ttl,
      cas: update.cas ?? secret.settings.cas,
    };
    const isSame = JSON.stringify(settings) === JSON.stringify(secret.settings);
    if (isSame && existing !== undefined && existing.purged === undefined) return [];
    this.secrets.set(path, secret);
    secret.purged = undefined;
    secret.settings = settings;
    secret.revision = revision;
    prune(secret);
    return [];
  }

  #secret(path: string): ModelSecret {
    const secret = this.secrets.get(path);
    if (secret === undefined) throw new Error(`there is no ${path}`);
    return secret;
  }

  #requireVersions(path: string): void {
    if ((this.secrets.get(path)?.versions.length ?? 0) === 0) throw new Refusal("SECRET_NOT_FOUND");
  }

  #version(path: string, number: number): ModelVersion {
    const version = this.#secret(path).versions.find((one) => one.number === number);
    if (version === undefined) throw new Refusal("VERSION_NOT_FOUND");
    return version;
  }

  #readable(path: string, number: number, now: number): Values {
    const version = number === 0 ? this.#secret(path).versions.at(-1)! : this.#version(path, number);
    const state = stateOf(version, now);
    if (state !== "live") throw new Refusal(`VERSION_${state.toUpperCase()}`);
    return version.values!;
  }

  #expect(path: string, expected: number | undefined): void {
    const last = this.secrets.get(path)?.last ?? 0;
    if (expected !== undefined && expected !== last) throw new Refusal("VERSION_MISMATCH");
  }

  #expectReplaced(path: string, expected: number | undefined): void {
    if (expected === undefined && this.secrets.get(path)?.settings.cas === true) throw new Refusal("CAS_REQUIRED");
    this.#expect(path, expected);
  }
}

interface Made {
  readonly revision: number;
  readonly time: number;
  readonly by: string;
}

const FROM = { delete: ["live"], undelete: ["deleted"], destroy: ["live", "deleted"] };
const TO = { delete: "deleted", undelete: "live", destroy: "destroyed" } as const;

function newSecret(): ModelSecret {
  const settings = { maxVersions: 10, labels: {}, description: "", ttl: 0, cas: false };
  return { last: 0, versions: [], settings, revision: 0, purged: undefined };
}

function prune(secret: ModelSecret): void {
  while (secret.versions.length > secret.settings.maxVersions) secret.versions.shift();
}

function patched(old: Values, set: Values, removed: readonly string[]): Values {
  const values: Record<string, string> = { ...old };
  for (const key of removed) delete values[key];
  Object.assign(values, set);
  if (Object.keys(values).length === 0) throw new Refusal("INVALID_FIELD");
  if (bytesOf(values) > LIMITS.contentBytes) throw new Refusal("LIMIT_EXCEEDED");
  return values;
}

function bytesOf(values: Values): number {
  return Object.entries(values).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

function sorted(values: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}
