import { Authorizer } from "../authorization/authorizer.ts";
import { type Policy, type PolicySurroundings, ownIdWarning, policyWarnings } from "../authorization/policy.ts";
import type { WatchDirectory } from "../files/directory-watch.ts";
import { ObservedFile } from "../files/observed-file.ts";
import type { Timers } from "../domain/timers.ts";
import { WatchedFiles } from "../files/watched-files.ts";
import type { Identity } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import type { Logger } from "../observability/logger.ts";
import type { LoadedPolicyReading } from "../observability/readings.ts";
import { type PolicyFileReading, readPolicyFile } from "./policy-reading.ts";
import { StartRefused } from "../domain/start-refused.ts";

/** Where the rules come from. */
export interface PolicySourceOptions {
  /** The policy file; undefined: there are no rules, and never will be. */
  readonly file: string | undefined;
  readonly admins: readonly SpiffeId[];
  readonly log: Logger;
  readonly timers: Timers;
  /** How to hear of changes sooner; watchDirectory by default. */
  readonly watch?: WatchDirectory;
}

const NO_RULES: PolicyFileReading = { kind: "policy", policy: { rules: [] } };

/**
 * The authorizer in force. It follows the policy file as it changes, and is replaced whole or not at all: a file that is
 * wrong, empty or gone leaves the rules in force, and the log says why.
 */
export class PolicySource {
  readonly #options: PolicySourceOptions;
  /** Undefined when there is no file. */
  readonly #watched: WatchedFiles | undefined;
  #policy: Policy;
  #current: Authorizer;
  #loaded: LoadedPolicyReading;
  /** Undefined as long as nobody knows. */
  #surroundings: PolicySurroundings | undefined;

  private constructor(options: PolicySourceOptions, file: ObservedFile | undefined, policy: Policy) {
    const { admins, log, timers, watch } = options;
    this.#options = options;
    this.#policy = policy;
    this.#loaded = { isNewest: true, lastLoad: timers.clock() };
    this.#current = this.#adopt(policy, 1);
    for (const admin of admins) log.info("admin", { spiffe_id: admin.toString() });
    if (file === undefined) return;
    const onSettled = (isNew: boolean) => isNew && this.#take(readPolicyFile(file));
    this.#watched = new WatchedFiles({ files: [file], timers, watch, onSettled });
  }

  /** Reads the file. Throws {@link StartRefused} with everything that is wrong with it. */
  static open(options: PolicySourceOptions): PolicySource {
    const file = options.file === undefined ? undefined : ObservedFile.trusted(options.file, options.timers);
    const reading = file === undefined ? NO_RULES : readPolicyFile(file);
    if (reading.kind === "problems") throw new StartRefused(reading.problems);
    return new PolicySource(options, file, reading.policy);
  }

  get current(): Authorizer {
    return this.#current;
  }

  /** For the metrics. */
  get loaded(): LoadedPolicyReading {
    return this.#loaded;
  }

  /** How many rules are in force. */
  get rules(): number {
    return this.#policy.rules.length;
  }

  /** Reads the file again soon, also when it has not changed: whoever asks finds the outcome in the log. */
  reload(): void {
    this.#watched?.reload();
  }

  /**
   * The server's own identity, at the start and whenever it is another. Its SPIFFE ID is nobody's to call with, from the
   * next call on, and what it makes of the rules is worth a warning.
   */
  serveAs({ svid, bundles }: Pick<Identity, "svid" | "bundles">): void {
    const trusted = Array.from(bundles.keys()).sort();
    const before = this.#surroundings;
    if (before?.server.equals(svid.id) && trusted.join() === Array.from(before.trusted).join()) return;
    this.#surroundings = { server: svid.id, trusted: trusted.map((name) => TrustDomain.parse(name)) };
    this.#warn();
    this.#current = this.#authorizer(this.#current.epoch + 1);
  }

  /** Follows the file no more. */
  close(): void {
    this.#watched?.close();
  }

  #take(reading: PolicyFileReading): void {
    if (reading.kind === "policy") this.#current = this.#adopt(reading.policy, this.#current.epoch + 1);
    else this.#keep(reading.problems);
  }

  #adopt(policy: Policy, epoch: number): Authorizer {
    const { file, log, timers } = this.#options;
    log.info("policy loaded", { file, rules: policy.rules.length });
    this.#loaded = { isNewest: true, lastLoad: timers.clock() };
    this.#policy = policy;
    this.#warn();
    return this.#authorizer(epoch);
  }

  #authorizer(epoch: number): Authorizer {
    const { admins } = this.#options;
    return new Authorizer({ policy: this.#policy, admins, server: this.#surroundings?.server, epoch });
  }

  #keep(problems: readonly string[]): void {
    const { file, log } = this.#options;
    this.#loaded = { ...this.#loaded, isNewest: false };
    for (const detail of problems) log.error("policy kept", { file, detail });
  }

  #warn(): void {
    if (this.#surroundings === undefined) return;
    const { file, admins, log } = this.#options;
    const { server } = this.#surroundings;
    for (const detail of policyWarnings(this.#policy, this.#surroundings)) log.warn("policy warning", { file, detail });
    if (admins.some((admin) => admin.equals(server))) {
      log.warn("policy warning", { detail: ownIdWarning("--admin", server) });
    }
  }
}
