import type { FileRights } from "./destination.ts";
import type { Template } from "./template.ts";

/** The configuration of `coffer agent`, see docs/agent.md. */
export interface AgentConfig {
  /** The name of this agent in reports; undefined for the host name. */
  readonly instance: string | undefined;
  /** Where to serve probes and metrics; undefined for nowhere. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly targets: readonly TargetConfig[];
}

/** What the agent writes to one place. */
export interface TargetConfig {
  readonly name: string;
  readonly place: TargetPlace;
  readonly contents: Contents;
  /** The rights of each file that has none of its own. */
  readonly rights: FileRights;
  /** Whether the place may be on a file system that is not in memory. */
  readonly allowDisk: boolean;
  /** What to do after each change; undefined for nothing. */
  readonly onChange: Reaction | undefined;
  /** What happens to the files when a secret is deleted, destroyed, expired, purged, or may no longer be watched. */
  readonly whenGone: "keep" | "remove";
  /** For how many milliseconds the files stay while no server answers; undefined: without a limit. */
  readonly removeAfterOutageMs: number | undefined;
}

/** A file, or a directory whose files change together. */
type TargetPlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string };

/** The files of a target. A target with the place `file` has exactly one. */
export type Contents =
  | { readonly kind: "files"; readonly files: readonly FileConfig[] }
  /** One file for each key of a secret. */
  | { readonly kind: "keys"; readonly secret: string };

/** One file. */
export interface FileConfig {
  readonly name: string;
  readonly source: ContentSource;
  /** The permission bits; undefined for those of the target. */
  readonly mode: number | undefined;
}

/** The content of a file. */
export type ContentSource =
  | {
      readonly kind: "value";
      readonly secret: string;
      readonly key: string;
      /** Whether the value is base64, and the file gets the decoded bytes. */
      readonly isBase64: boolean;
    }
  /** `secrets` has the path of each secret by its name in the template. */
  | { readonly kind: "template"; readonly template: Template; readonly secrets: ReadonlyMap<string, string> };

/** What a target does after a change of its files. */
export type Reaction =
  | {
      readonly kind: "command";
      readonly program: string;
      readonly arguments: readonly string[];
      readonly timeoutMs: number;
    }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals; readonly receiver: SignalReceiver };

/** The process that gets a signal. */
export type SignalReceiver =
  /** The process whose number is in a file. */
  | { readonly kind: "pid-file"; readonly path: string }
  /** Every process with this name, except those that another process with this name has started. */
  | { readonly kind: "name"; readonly name: string };

/** The paths of the secrets that a target uses, each once. */
export function secretsOf({ contents }: TargetConfig): readonly string[] {
  if (contents.kind === "keys") return [contents.secret];
  const paths = contents.files.flatMap(({ source }) =>
    source.kind === "value" ? [source.secret] : [...source.secrets.values()],
  );
  return [...new Set(paths)];
}
