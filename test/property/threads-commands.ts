import { Content } from "../../src/domain/content.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import type { ChangeCommand, OperationCommand } from "../../src/store/command.ts";
import { encodeContent } from "../../src/store/content-format.ts";
import type { RecordedOperation } from "../support/history.ts";
import { AUTHOR } from "../support/store-kit.ts";
import type { Simulation } from "../support/simulated-threads.ts";

/** A change, as it is recorded and as it is sent. */
export interface AnyChange {
  readonly recorded: readonly RecordedOperation[];
  /** A new command each time: the store overwrites the plaintexts of a command. */
  readonly command: () => ChangeCommand;
}

interface AnyOperation {
  readonly recorded: RecordedOperation;
  readonly command: () => OperationCommand;
}

/** Makes random changes. Each value is unique. */
export class AnyChanges {
  readonly #simulation: Simulation;
  readonly #paths: readonly string[];
  /** The length of the longest value. */
  readonly #longest: number;
  #last = 0;

  constructor(simulation: Simulation, paths: readonly string[], longest: number) {
    this.#simulation = simulation;
    this.#paths = paths;
    this.#longest = longest;
  }

  /** A path. Half of the calls are for the first two, so that their versions are pruned. */
  path(): string {
    return this.#paths[this.#below(this.#simulation.chance(0.5) ? 2 : this.#paths.length)] ?? "";
  }

  /** Several different paths. */
  several(): readonly string[] {
    return [...new Set([this.path(), this.path(), this.path(), this.path()])];
  }

  /** A change of one secret, or of several. */
  change(): AnyChange {
    const isCommit = this.#simulation.chance(0.2);
    const [guarded, ...changed] = isCommit ? this.several() : ["", this.path()];
    const operations = changed.map((path) => this.#operation(path));
    const guards =
      isCommit && guarded !== undefined && this.#simulation.chance(0.2)
        ? [{ path: parseSecretPath(guarded), expectedVersion: this.#below(5) }]
        : [];
    // With only one path, the Commit would have no operation.
    if (operations.length === 0) return this.change();
    const requestId = this.#simulation.chance(0.2) ? this.#requestId() : undefined;
    return {
      recorded: operations.map(({ recorded }) => recorded),
      command: () => ({ author: AUTHOR, operations: operations.map(({ command }) => command()), guards, requestId }),
    };
  }

  #operation(path: string): AnyOperation {
    const kind = this.#below(20);
    const expectedVersion = this.#simulation.chance(0.2) ? this.#below(5) : undefined;
    const target = { path: parseSecretPath(path), expectedVersion };
    if (kind < 9) return this.#put(path, target);
    if (kind < 10) return this.#patch(path, target);
    if (kind < 12) return this.#copy(path, target);
    if (kind < 13) return { recorded: { kind: "purge", path }, command: () => ({ kind: "purge", ...target }) };
    const state = kind < 16 ? "delete" : kind < 18 ? "undelete" : "destroy";
    const versions = this.#simulation.chance(0.5) ? [] : [1 + this.#below(12), 1 + this.#below(12)];
    return { recorded: { kind: state, path, named: versions }, command: () => ({ kind: state, ...target, versions }) };
  }

  #put(path: string, target: Target): AnyOperation {
    const value = this.#value();
    const expiry = { kind: "default" } as const;
    return {
      recorded: { kind: "put", path, value },
      command: () => ({ kind: "put", ...target, plaintext: contentOf(value), expiry }),
    };
  }

  /** A Patch of the only key: the new version has this value, whatever the value of the previous version. */
  #patch(path: string, target: Target): AnyOperation {
    const value = this.#value();
    return {
      recorded: { kind: "put", path, value },
      command: () => ({ kind: "patch", ...target, plaintext: contentOf(value), removed: [] }),
    };
  }

  #copy(path: string, target: Target): AnyOperation {
    const source = this.#simulation.chance(0.3) ? path : this.path();
    const version = this.#simulation.chance(0.5) ? 0 : 1 + this.#below(5);
    return {
      recorded: { kind: "copy", path, source, version },
      command: () => ({ kind: "copy", ...target, source: parseSecretPath(source), version }),
    };
  }

  #value(): string {
    return `v${++this.#last}:${this.#below(this.#longest)}`;
  }

  #requestId(): string {
    return `00000000-0000-4000-8000-${String(++this.#last).padStart(12, "0")}`;
  }

  #below(limit: number): number {
    return this.#simulation.below(limit);
  }
}

type Target = Pick<OperationCommand, "path" | "expectedVersion">;

function contentOf(value: string): Buffer {
  return encodeContent(Content.parse([{ key: "v", kind: "text", value: Buffer.from(padded(value)) }]));
}

/** The value of a content. Throws if it is not complete. */
export function valueOfContent(content: Content): string {
  const [entry] = content.entries();
  const text = Buffer.from(entry?.value ?? []).toString();
  const value = text.replace(/x*$/, "");
  if (padded(value) !== text) throw new Error(`a content is damaged: ${text.slice(0, 50)}`);
  return value;
}

/** The text for a value such as `v1:9`: the value and nine letters, so that contents have various lengths. */
function padded(value: string): string {
  return value + "x".repeat(Number(value.split(":")[1]));
}
