import { Authorizer, type AuthorizerOptions } from "../authorization/authorizer.ts";
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

/** The options of a {@link PolicySource}. */
export interface PolicySourceOptions {
  /** The policy file; undefined: no rules, for the whole life of the server. */
  readonly file: string | undefined;
  readonly admins: readonly SpiffeId[];
  readonly log: Logger;
  readonly timers: Timers;
  /** Reports changes of the file's folder between two polls; watchDirectory by default. */
  readonly watch?: WatchDirectory;
}

const NO_RULES: PolicyFileReading = { kind: "policy", policy: { rules: [] } };

/**
 * Provides the current authorizer, and follows the policy file. The authorizer is replaced completely or not at all: if
 * the file becomes invalid, empty or missing, the previous rules stay in force, and the log has the reason.
 */
export class PolicySource {
  readonly #options: PolicySourceOptions;
  /** Undefined without a policy file. */
  readonly #watched: WatchedFiles | undefined;
  readonly #listeners = new Set<(inForce: AuthorizerOptions) => void>();
  #policy: Policy;
  #inForce: AuthorizerOptions;
  #current: Authorizer;
  #loaded: LoadedPolicyReading;
  /** Undefined until the server has an identity. */
  #surroundings: PolicySurroundings | undefined;

  private constructor(options: PolicySourceOptions, file: ObservedFile | undefined, policy: Policy) {
    const { admins, log, timers, watch } = options;
    this.#options = options;
    this.#policy = policy;
    this.#loaded = { isNewest: true, lastLoad: timers.clock() };
    this.#inForce = this.#adopt(policy, 1);
    this.#current = new Authorizer(this.#inForce);
    for (const admin of admins) log.info("admin", { spiffe_id: admin.toString() });
    if (file === undefined) return;
    const onSettled = (isNew: boolean) => isNew && this.#take(readPolicyFile(file));
    this.#watched = new WatchedFiles({ files: [file], timers, watch, onSettled });
  }

  /** Reads the file. Throws {@link StartRefused} with all its problems. */
  static open(options: PolicySourceOptions): PolicySource {
    const file = options.file === undefined ? undefined : ObservedFile.trusted(options.file, options.timers);
    const reading = file === undefined ? NO_RULES : readPolicyFile(file);
    if (reading.kind === "problems") throw new StartRefused(reading.problems);
    return new PolicySource(options, file, reading.policy);
  }

  get current(): Authorizer {
    return this.#current;
  }

  /** What the current authorizer decides by, for authorizers in other threads. */
  get inForce(): AuthorizerOptions {
    return this.#inForce;
  }

  /** Calls `listener` with what each later authorizer decides by, until the source is closed. */
  onChange(listener: (inForce: AuthorizerOptions) => void): void {
    this.#listeners.add(listener);
  }

  /** Whether the newest policy is in force, and since when, for metrics and status. */
  get loaded(): LoadedPolicyReading {
    return this.#loaded;
  }

  /** The number of rules in force. */
  get rules(): number {
    return this.#policy.rules.length;
  }

  /** Reads the file again soon, even if it has not changed, so that the log has the outcome of every reload. */
  reload(): void {
    this.#watched?.reload();
  }

  /**
   * Sets the server's own identity, at the start and after each change. From the next call on, a caller with the
   * server's SPIFFE ID is denied. Logs a warning for each rule that can match no caller.
   */
  serveAs({ svid, bundles }: Pick<Identity, "svid" | "bundles">): void {
    const trusted = Array.from(bundles.keys()).sort();
    const before = this.#surroundings;
    if (before?.server.equals(svid.id) && trusted.join() === Array.from(before.trusted).join()) return;
    this.#surroundings = { server: svid.id, trusted: trusted.map((name) => TrustDomain.parse(name)) };
    this.#warn();
    this.#replace(this.#authorizerOptions(this.#inForce.epoch + 1));
  }

  /** Stops following the file. */
  close(): void {
    this.#watched?.close();
    this.#listeners.clear();
  }

  #take(reading: PolicyFileReading): void {
    if (reading.kind === "policy") this.#replace(this.#adopt(reading.policy, this.#inForce.epoch + 1));
    else this.#keep(reading.problems);
  }

  #replace(inForce: AuthorizerOptions): void {
    this.#inForce = inForce;
    this.#current = new Authorizer(inForce);
    for (const listener of this.#listeners) listener(inForce);
  }

  #adopt(policy: Policy, epoch: number): AuthorizerOptions {
    const { file, log, timers } = this.#options;
    log.info("policy loaded", { file, rules: policy.rules.length });
    this.#loaded = { isNewest: true, lastLoad: timers.clock() };
    this.#policy = policy;
    this.#warn();
    return this.#authorizerOptions(epoch);
  }

  #authorizerOptions(epoch: number): AuthorizerOptions {
    const { admins } = this.#options;
    return { policy: this.#policy, admins, server: this.#surroundings?.server, epoch };
  }

  #keep(problems: readonly string[]): void {
    const { file, log } = this.#options;
    this.#loaded = { ...this.#loaded, isNewest: false };
    for (const detail of problems) log.error("policy reload failed", { file, detail });
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
