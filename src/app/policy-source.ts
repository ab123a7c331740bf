import { readFileSync } from "node:fs";
import { Authorizer } from "../authorization/authorizer.ts";
import { type Policy, policyWarnings } from "../authorization/policy.ts";
import { readPolicy } from "../authorization/policy-file.ts";
import type { SpiffeId } from "../identity/spiffe-id.ts";
import { TrustDomain } from "../identity/trust-domain.ts";
import type { Logger } from "../observability/logger.ts";
import { StartRefused } from "./start-refused.ts";

/** Where the rules come from. */
export interface PolicySourceOptions {
  /** The policy file; undefined: there are no rules. */
  readonly file: string | undefined;
  readonly admins: readonly SpiffeId[];
  readonly log: Logger;
}

const NO_RULES: Policy = { rules: [] };

/** The authorizer in force, and how it is replaced: whole or not at all. */
export class PolicySource {
  readonly #options: PolicySourceOptions;
  #policy: Policy;
  #current: Authorizer;
  /** The trust domains whose workloads may call; undefined as long as nobody knows. */
  #trusted: readonly TrustDomain[] | undefined;

  private constructor(options: PolicySourceOptions, policy: Policy) {
    this.#options = options;
    this.#policy = policy;
    this.#current = this.#adopt(policy, 1);
    for (const admin of options.admins) options.log.info("admin", { spiffe_id: admin.toString() });
  }

  /** Reads the file. Throws {@link StartRefused} with everything that is wrong with it. */
  static open(options: PolicySourceOptions): PolicySource {
    const reading = read(options.file);
    if (reading.kind === "problems") throw new StartRefused(reading.problems);
    return new PolicySource(options, reading.policy);
  }

  get current(): Authorizer {
    return this.#current;
  }

  /** Reads the file again. One that is wrong changes nothing: the rules in force stay, and the log says why. */
  reload(): void {
    const { file, log } = this.#options;
    const reading = read(file);
    if (reading.kind === "policy") {
      this.#current = this.#adopt(reading.policy, this.#current.epoch + 1);
      return;
    }
    for (const detail of reading.problems) log.error("policy kept", { file, detail });
  }

  /** These trust domains have a bundle, by their bare names: rules for others are worth a warning. */
  trust(names: Iterable<string>): void {
    const trusted = Array.from(names).sort();
    if (trusted.join() === this.#trusted?.join()) return;
    this.#trusted = trusted.map((name) => TrustDomain.parse(name));
    this.#warn();
  }

  #adopt(policy: Policy, epoch: number): Authorizer {
    const { file, admins, log } = this.#options;
    log.info("policy loaded", { file, rules: policy.rules.length });
    this.#policy = policy;
    this.#warn();
    return new Authorizer({ policy, admins, epoch });
  }

  #warn(): void {
    if (this.#trusted === undefined) return;
    const { file, log } = this.#options;
    for (const detail of policyWarnings(this.#policy, this.#trusted)) log.warn("policy warning", { file, detail });
  }
}

type Reading =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

function read(file: string | undefined): Reading {
  if (file === undefined) return { kind: "policy", policy: NO_RULES };
  try {
    const reading = readPolicy(readFileSync(file));
    if (reading.kind === "policy") return reading;
    const problems = reading.problems.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
    return { kind: "problems", problems };
  } catch (error) {
    return { kind: "problems", problems: [`the policy ${file} can't be read: ${(error as Error).message}`] };
  }
}
