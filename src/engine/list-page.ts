import { MAX_ANSWER_BYTES, MAX_PAGE_TOKEN_BYTES, MAX_PATH_BYTES } from "../contract/limits.ts";
import type { PathPrefix, SecretPath } from "../domain/secret-path.ts";
import type { Sealer } from "../sealing/sealer.ts";
import type { Label } from "../store/command.ts";
import type { Reads } from "../store/reads.ts";
import type { StoredSecret } from "../store/secret.ts";
import { openPageToken, sealPageToken } from "./page-token.ts";
import type { CallPermits } from "./permits.ts";

/** Proves that a caller may list secrets with a prefix. Only the engine creates it. */
export interface ListPermit {
  readonly permits: CallPermits;
  readonly prefix: PathPrefix;
}

/** The query of a List for one page. */
export interface ListQuestion {
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
  /** Whether paths that contain "/" after the prefix are answered as folders. */
  readonly isFolded: boolean;
  readonly labels: readonly Label[];
  readonly showDeleted: boolean;
}

/** One secret of a page. */
export interface ListedSecret {
  readonly path: SecretPath;
  /** Undefined if the caller may not describe the secret. */
  readonly described: StoredSecret | undefined;
}

/** One page of List. `nextPageToken` is empty on the last page. */
export interface ListAnswer {
  readonly secrets: readonly ListedSecret[];
  readonly folders: readonly string[];
  readonly nextPageToken: string;
  /** Milliseconds since the epoch. It decides which versions have expired. */
  readonly time: number;
  readonly storeRevision: number;
}

/** What {@link findListPage} needs. */
interface ListOptions {
  readonly secrets: Reads;
  /** Seals page tokens. */
  readonly sealer: Sealer;
  readonly permit: ListPermit;
  readonly question: ListQuestion;
  /** Whether the caller has stopped waiting. */
  readonly isOver: () => boolean;
}

/** Finds a page of the secrets that the caller may list, each with its description if the caller may describe it. */
export async function findListPage({ secrets, sealer, permit, question, isOver }: ListOptions): Promise<ListAnswer> {
  const { permits, prefix } = permit;
  const { pageSize: limit, pageToken, isFolded, labels, showDeleted } = question;
  const token = { caller: permits.caller.id, query: tokenQuery(prefix, question) };
  const after = pageToken === "" ? undefined : openPageToken(sealer, pageToken, token);
  const listable = permits.scope("list");
  const describable = permits.scope("describe");
  const query = {
    prefix,
    after,
    limit,
    isFolded,
    labels,
    showDeleted,
    atOrAfter: (text: string) => listable.atOrAfter(text),
    isDescribable: (path: SecretPath) => describable.covers(path),
  };
  const page = await secrets.list(query, isOver);
  const listed = page.secrets.map((secret) => ({
    path: secret.path,
    described: describable.covers(secret.path) ? secret : undefined,
  }));
  const { next, ...shown } = fittingPart({ secrets: listed, folders: page.folders, next: page.next });
  const nextPageToken = next === undefined ? "" : sealPageToken(sealer, next, token);
  return { ...shown, nextPageToken, time: page.time, storeRevision: page.revision };
}

/** The part of a token's context that states its query: a token is valid for no other query. */
function tokenQuery(prefix: PathPrefix, { isFolded, labels, showDeleted }: ListQuestion): string {
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([prefix, isFolded, sorted, showDeleted]);
}

interface FoundPage {
  readonly secrets: readonly ListedSecret[];
  readonly folders: readonly string[];
  /** The path or folder after which the next page begins. */
  readonly next: string | undefined;
}

// Bytes for each entry, in addition to its path and labels: tags, lengths, numbers and times.
const ENTRY_BYTES = 64;

// Bytes for each label, in addition to key and value.
const LABEL_BYTES = 8;

/**
 * The secrets of a page that fit in an answer, and the folders before the first one that does not. A thousand secrets
 * with 64 labels each would be larger than most clients receive.
 */
function fittingPart(page: FoundPage): FoundPage {
  const fitting = fittingSecrets(page);
  const last = fitting.at(-1);
  if (last === undefined || fitting.length === page.secrets.length) return page;
  return { secrets: fitting, folders: page.folders.filter((folder) => folder < last.path), next: last.path };
}

function fittingSecrets({ secrets, folders }: FoundPage): readonly ListedSecret[] {
  let space = MAX_ANSWER_BYTES - MAX_PAGE_TOKEN_BYTES - folders.length * (MAX_PATH_BYTES + LABEL_BYTES);
  for (const [index, secret] of secrets.entries()) {
    space -= entryBytes(secret);
    if (space < 0) return secrets.slice(0, index);
  }
  return secrets;
}

function entryBytes({ path, described }: ListedSecret): number {
  let bytes = ENTRY_BYTES + path.length;
  for (const [key, value] of described?.settings.labels ?? []) bytes += LABEL_BYTES + key.length + value.length;
  return bytes;
}
