import type { Environment } from "../../config/option.ts";
import { CommandFailed } from "../command-failed.ts";
import { type SourcedSecret, secretVariables } from "./secret-variables.ts";
import type { VariableSource } from "./variable-source.ts";

/** A secret that a source names. */
type HeldSecret = SourcedSecret["secret"];

/** The variables of a start of the command, and the versions from which they come, by path. */
export interface PreparedStart {
  readonly kind: "start";
  readonly variables: Readonly<Record<string, string>>;
  readonly versions: ReadonlyMap<string, number>;
}

/** Why the command can't be started with the newest versions. The text contains no value. */
export interface PreparationProblem {
  readonly kind: "problem";
  readonly text: string;
}

/** The newest versions of the secrets of `coffer run --watch`. A secret that can't be read at present is absent. */
export class NewestSecrets {
  readonly #sources: readonly VariableSource[];
  readonly #inherited: Environment;
  readonly #secrets = new Map<string, HeldSecret>();

  /** `inherited` is the environment to which the variables are added. */
  constructor(sources: readonly VariableSource[], inherited: Environment) {
    this.#sources = sources;
    this.#inherited = inherited;
  }

  /** The number of the newest version of each secret, by path. */
  get versions(): ReadonlyMap<string, number> {
    return new Map([...this.#secrets].map(([path, { version }]) => [path, version]));
  }

  /** Keeps the newest version of a secret. */
  set(secret: HeldSecret): void {
    this.#secrets.set(secret.path, secret);
  }

  /** Drops a secret that can't be read any more. Returns whether it could be read before. */
  drop(path: string): boolean {
    return this.#secrets.delete(path);
  }

  /** The secrets whose version differs from that in `used`, such as "shop/api/db version 8". */
  changedSince(used: ReadonlyMap<string, number>): readonly string[] {
    const changed = [...this.#secrets.values()].filter(({ path, version }) => used.get(path) !== version);
    return changed.map(({ path, version }) => `${path} version ${version}`);
  }

  /** The variables of the newest versions, or why there are none. */
  prepare(): PreparedStart | PreparationProblem {
    const missing = this.#sources.filter(({ path }) => !this.#secrets.has(path)).map(({ path }) => path);
    if (missing.length > 0) return { kind: "problem", text: `${[...new Set(missing)].join(", ")} can't be read` };
    try {
      return { kind: "start", variables: secretVariables(this.#sourced(), this.#inherited), versions: this.versions };
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      return { kind: "problem", text: error.message };
    }
  }

  #sourced(): SourcedSecret[] {
    return this.#sources.flatMap((source) => {
      const secret = this.#secrets.get(source.path);
      return secret === undefined ? [] : [{ source, secret }];
    });
  }
}
