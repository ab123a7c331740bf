import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import type { ChangeResult, OperationCommand, SettingsUpdate } from "../../../src/store/command.ts";
import { encodeContent } from "../../../src/store/content-format.ts";
import type { SecretStore } from "../../../src/store/secret-store.ts";
import { stateAt } from "../../../src/store/secret.ts";
import { ManualTimers } from "../../support/manual-timers.ts";
import { ScriptedJournal } from "../../support/scripted-journal.ts";
import { commandOf, loadStore, outcomeOf, read, reasonOf, textContent } from "../../support/store-kit.ts";

/** A row of a table of scenarios. */
export interface Scenario {
  /** Steps on one secret, separated by "; ". See {@link outcomeOfSteps}. */
  readonly steps: string;
  /** The outcome of each step in Coffer, separated by "; ". */
  readonly outcome: string;
  /** What the other store does at the last step, in words, and the name of the difference in docs/kv-v2.md. */
  readonly differs?: { readonly name: string; readonly there: string };
}

const path = parseSecretPath("secret");

/**
 * Performs steps on a new store and returns their outcomes. A step is a word with arguments:
 *
 * - put, put cas=1, put ttl=1000: the n-th step that puts has the value "v<n>"; the outcome is the version
 * - patch, patch remove=value: sets "more", or removes keys
 * - delete, undelete, destroy: with version numbers; the outcome is those that were changed
 * - restore 1, purge, max 3, cas (cas_required), ttl 1000 (default_ttl), wait 1000, restart
 * - get, get 1: the value, or the reason of the error
 * - versions: the number and the state of each version
 * - changed: the revision of the last change of the secret
 * - list, list deleted: the listed paths
 */
export async function outcomeOfSteps(steps: string): Promise<string> {
  const run = await ScenarioRun.start();
  const outcomes: string[] = [];
  for (const step of steps.split("; ")) outcomes.push(await run.take(step));
  return outcomes.join("; ");
}

class ScenarioRun {
  readonly #timers = new ManualTimers(1_700_000_000_000);
  readonly #journal = new ScriptedJournal();
  #store: SecretStore;
  #puts = 0;

  private constructor(store: SecretStore) {
    this.#store = store;
  }

  static async start(): Promise<ScenarioRun> {
    const run = new ScenarioRun(undefined as never);
    await run.#load();
    return run;
  }

  async take(step: string): Promise<string> {
    const [word = "", ...all] = step.split(" ");
    const named = new Map(all.filter((one) => one.includes("=")).map((one) => one.split("=") as [string, string]));
    const numbers = all.filter((one) => /^\d+$/.test(one)).map(Number);
    const cas = named.get("cas");
    const target = { path, expectedVersion: cas === undefined ? undefined : Number(cas) };
    switch (word) {
      case "put": {
        this.#puts += 1;
        const ttl = named.get("ttl");
        const expiry =
          ttl === undefined ? ({ kind: "default" } as const) : ({ kind: "after", ms: Number(ttl) } as const);
        const plaintext = encodeContent(textContent(`v${this.#puts}`));
        return this.#change({ kind: "put", ...target, plaintext, expiry });
      }
      case "patch": {
        const removed = named.get("remove")?.split(",") ?? [];
        const plaintext = removed.length > 0 ? Buffer.alloc(0) : encodeContent(textContent("patched", "more"));
        return this.#change({ kind: "patch", ...target, plaintext, removed });
      }
      case "delete":
      case "undelete":
      case "destroy":
        return this.#change({ kind: word, ...target, versions: numbers });
      case "restore":
        return this.#change({ kind: "copy", ...target, source: path, version: numbers[0]! });
      case "purge":
        return this.#change({ kind: "purge", ...target });
      case "max":
        return this.#update({ maxVersions: numbers[0]! });
      case "cas":
        return this.#update({ casRequired: true });
      case "ttl":
        return this.#update({ defaultTtl: numbers[0]! });
      case "wait":
        this.#timers.advance(numbers[0]!);
        return "";
      case "restart":
        await this.#load();
        return "";
      case "get":
        return read(this.#store, path, numbers[0] ?? 0);
      case "versions":
        return this.#versions();
      case "changed":
        return String(this.#store.snapshot().secret(path).revision);
      case "list":
        return this.#list(all.includes("deleted"));
      default:
        throw new Error(`unknown step ${step}`);
    }
  }

  async #load(): Promise<void> {
    this.#store = await loadStore(this.#journal, { timers: this.#timers });
  }

  async #change(operation: OperationCommand): Promise<string> {
    const answer: ChangeResult | string = await outcomeOf(this.#store.change(commandOf(operation)));
    return typeof answer === "string" ? answer : (answer.results[0]?.versions.join(" ") ?? "");
  }

  #update(some: Partial<SettingsUpdate>): Promise<string> {
    const none = { maxVersions: undefined, setLabels: [], removedLabels: [], description: undefined };
    const update = { ...none, defaultTtl: undefined, casRequired: undefined, ...some };
    return this.#change({ kind: "metadata", path, expectedVersion: undefined, update });
  }

  #versions(): string {
    try {
      const snapshot = this.#store.snapshot();
      const { versions } = snapshot.secret(path);
      return versions.map((version) => `${version.number} ${stateAt(version, snapshot.time)}`).join(", ");
    } catch (error) {
      return reasonOf(error);
    }
  }

  async #list(showDeleted: boolean): Promise<string> {
    const form = { labels: [], isDescribable: () => true, isFolded: false, showDeleted };
    const query = { prefix: "" as never, after: undefined, limit: 10, atOrAfter: (text: string) => text, ...form };
    const { secrets } = await this.#store.list(query, () => false);
    return secrets.map((secret) => secret.path).join(", ");
  }
}
