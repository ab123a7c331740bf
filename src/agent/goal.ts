import { ClientError } from "../client/client-error.ts";
import type { CofferReader } from "../client/coffer-reader.ts";
import type { Content } from "../domain/content.ts";
import { type TargetConfig, secretsOf } from "./agent-config.ts";
import type { WantedFile } from "./destination.ts";
import { renderFiles } from "./rendering.ts";
import type { SecretState, SecretStates, VersionId } from "./secret-states.ts";

/** What has to be in the place of a target now. */
export type Goal =
  | {
      readonly kind: "files";
      readonly files: readonly WantedFile[];
      /** The version of each secret that the files contain, by path. */
      readonly versions: ReadonlyMap<string, VersionId>;
    }
  /** No file. */
  | { readonly kind: "nothing"; readonly why: string }
  /** A secret is gone. The files stay as they are, or absent. */
  | { readonly kind: "unchanged"; readonly why: string }
  /** Nothing is known about a secret yet, or the server can't read it. The files stay as they are meanwhile. */
  | { readonly kind: "unknown"; readonly why: string }
  /** The secrets could not be read together. The files stay as they are meanwhile, as in any outage. */
  | { readonly kind: "unanswered"; readonly why: string };

/** Reads several secrets as of one revision. */
type ReadTogether = Pick<CofferReader, "batchGet">["batchGet"];

/** What decides about a goal. */
export interface GoalSources {
  readonly states: SecretStates;
  readonly readTogether: ReadTogether;
  /** For how many milliseconds no server has answered; 0 while the watch is connected. */
  readonly outageMs: () => number;
}

type Live = Extract<SecretState, { readonly kind: "live" }>;

/**
 * The goal of a target. Files are wanted only if every secret of the target can be read, so a set is complete or empty.
 * Rejects with RenderingProblem.
 */
export async function goalOf(target: TargetConfig, sources: GoalSources): Promise<Goal> {
  const { states, outageMs } = sources;
  const { removeAfterOutageMs, whenGone } = target;
  if (removeAfterOutageMs !== undefined && outageMs() >= removeAfterOutageMs) {
    return { kind: "nothing", why: "no server has answered for remove_after_outage" };
  }
  const found = secretsOf(target).map((path) => ({ path, state: states.of(path) }));
  const why = (kind: SecretState["kind"]) =>
    found.flatMap(({ path, state }) => (state.kind === kind && state.kind !== "live" ? [`${path}: ${state.why}`] : []));
  const gone = why("gone").join(", ");
  if (gone !== "") return { kind: whenGone === "remove" ? "nothing" : "unchanged", why: gone };
  const unknown = why("unknown").join(", ");
  if (unknown !== "") return { kind: "unknown", why: unknown };
  const live = new Map(found.map(({ path, state }) => [path, state as Live]));
  return live.size === 1 ? fromStates(target, live) : ifAnswered(readAll(target, live, sources));
}

async function ifAnswered(goal: Promise<Goal>): Promise<Goal> {
  try {
    return await goal;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { kind: "unanswered", why: error.message };
  }
}

function fromStates(target: TargetConfig, live: ReadonlyMap<string, Live>): Goal {
  const contents = new Map([...live].map(([path, { content }]) => [path, content]));
  const versions = new Map([...live].map(([path, { version, createTime }]) => [path, { version, createTime }]));
  return { kind: "files", files: renderFiles(target, contents), versions };
}

/**
 * Reads the secrets of a target together, because the events of one Commit arrive one after the other: files from the
 * values of events could have the new version of one secret and the old one of another.
 */
async function readAll(
  target: TargetConfig,
  live: ReadonlyMap<string, Live>,
  { readTogether }: GoalSources,
): Promise<Goal> {
  const minRevision = Math.max(...[...live.values()].map(({ revision }) => revision));
  const { entries } = await readTogether([...live.keys()], { minRevision });
  const contents = new Map<string, Content>();
  const versions = new Map<string, VersionId>();
  try {
    for (const entry of entries) {
      // The secret has just changed. Its event follows.
      if (entry.kind === "unread") throw entry.error;
      contents.set(entry.path, entry.content);
      versions.set(entry.path, { version: entry.version, createTime: entry.createTime });
    }
    return { kind: "files", files: renderFiles(target, contents), versions };
  } finally {
    for (const content of contents.values()) content.dispose();
  }
}
