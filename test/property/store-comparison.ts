import assert from "node:assert/strict";
import { parsePathPrefix, parseSecretPath } from "../../src/domain/secret-path.ts";
import type { ListPage } from "../../src/store/listing.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { type StoredSecret, latestVersion, stateAt } from "../../src/store/secret.ts";
import { opened, reasonOf } from "../support/store-kit.ts";
import { type ModelSecret, type ModelVersion, type StoreModel, type Values, stateOf } from "./store-model.ts";
import { LABELS, PATHS, PREFIXES } from "./store-steps.ts";

/** Everything that callers can read from a store, except Lists. */
export function learned(store: SecretStore): object {
  const { secrets, versions } = store.totals;
  return { secrets: PATHS.map((path) => describe(store, path)), totals: { secrets, versions } };
}

/** What {@link learned} should return according to the model. */
export function known(model: StoreModel, now: number): object {
  const existing = [...model.secrets.values()].filter(({ purged }) => purged === undefined);
  return {
    secrets: PATHS.map((path) => describeModel(model.secrets.get(path), now)),
    totals: { secrets: existing.length, versions: existing.reduce((sum, { versions }) => sum + versions.length, 0) },
  };
}

function describe(store: SecretStore, path: string): object | string {
  const snapshot = store.snapshot();
  let secret: StoredSecret;
  try {
    secret = snapshot.secret(parseSecretPath(path));
  } catch (error) {
    return reasonOf(error);
  }
  const { maxVersions, labels, description, defaultTtl, casRequired } = secret.settings;
  return {
    newest: read(store, path, 0),
    missing: read(store, path, latestVersion(secret) + 1),
    last: latestVersion(secret),
    revision: secret.revision,
    settings: { maxVersions, labels: Object.fromEntries(labels), description, ttl: defaultTtl ?? 0, cas: casRequired },
    versions: secret.versions.map(({ number, revision, createTime: time, createdBy: author, ...version }) => {
      const { state } = version;
      const changed = state.revision === 0 ? undefined : { revision: state.revision, time: state.time, by: state.by };
      const kind = stateAt({ ...secret.versions.find((one) => one.number === number)! }, snapshot.time);
      const value = read(store, path, number);
      return { number, revision, time, author, expires: version.expireTime, state: kind, changed, value };
    }),
  };
}

function describeModel(secret: ModelSecret | undefined, now: number): object | string {
  if (secret === undefined || secret.purged !== undefined) return "SECRET_NOT_FOUND";
  const last = secret.versions.at(-1);
  return {
    newest: last === undefined ? "SECRET_NOT_FOUND" : readable(last, now),
    missing: last === undefined ? "SECRET_NOT_FOUND" : "VERSION_NOT_FOUND",
    last: secret.last,
    revision: secret.revision,
    settings: secret.settings,
    versions: secret.versions.map(({ values: _, state: __, changed, ...version }, i) => {
      const one = secret.versions[i]!;
      return { ...version, state: stateOf(one, now), changed, value: readable(one, now) };
    }),
  };
}

function readable(version: ModelVersion, now: number): Values | string {
  const state = stateOf(version, now);
  return state === "live" ? { ...version.values } : `VERSION_${state.toUpperCase()}`;
}

function read(store: SecretStore, path: string, version: number): Values | string {
  try {
    const values: Record<string, string> = {};
    for (const { key, kind, value } of opened(store, path, version).entries()) {
      assert.equal(kind, key === "bytes" ? "binary" : "text");
      assert.ok(!(key in values));
      values[key] = Buffer.from(value).toString();
    }
    return values;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The List with this number. The Lists of all numbers cover every prefix, filter and form. */
function listOf(number: number) {
  return {
    prefix: PREFIXES[number % PREFIXES.length]!,
    labels: LABELS[number % LABELS.length]!,
    isFolded: number % 2 === 0,
    showDeleted: number % 7 < 3,
  };
}

type Listed = ReturnType<typeof listOf>;

/** Compares some Lists, which differ from call to call, with the model. */
export async function compareLists(store: SecretStore, model: StoreModel, now: number, call: number): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const list = listOf(call * 3 + i);
    assert.deepEqual(await listAll(store, list), listModel(model, list, now), JSON.stringify(list));
  }
}

/** All pages of a List, with two entries each, joined. */
async function listAll(store: SecretStore, { prefix, labels, ...form }: Listed): Promise<object> {
  const pages: ListPage[] = [];
  let after: string | undefined;
  do {
    const filter = { labels: Object.entries(labels), isDescribable: () => true };
    const query = { prefix: parsePathPrefix(prefix), after, limit: 2, atOrAfter: (path: string) => path };
    const page = await store.list({ ...query, ...filter, ...form }, () => false);
    pages.push(page);
    after = page.next;
  } while (after !== undefined);
  return {
    secrets: pages.flatMap(({ secrets }) => secrets.map(({ path }) => path)),
    folders: pages.flatMap(({ folders }) => folders),
  };
}

function listModel(model: StoreModel, { prefix, labels, isFolded, showDeleted }: Listed, now: number): object {
  const secrets: string[] = [];
  const folders = new Set<string>();
  for (const [path, secret] of [...model.secrets].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const last = secret.versions.at(-1);
    const isLive = last !== undefined && stateOf(last, now) === "live";
    const hasLabels = Object.entries(labels).every(([key, value]) => secret.settings.labels[key] === value);
    if (!path.startsWith(prefix) || secret.purged !== undefined || !hasLabels || !(isLive || showDeleted)) continue;
    const slash = path.indexOf("/", prefix.length);
    if (isFolded && slash !== -1) folders.add(path.slice(0, slash + 1));
    else secrets.push(path);
  }
  return { secrets, folders: [...folders] };
}
