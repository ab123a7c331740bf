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
  /** The bare names of the trust domains that have a bundle, for warnings. */
  readonly trustDomains: Iterable<string>;
  readonly log: Logger;
}

const NO_RULES: Policy = { rules: [] };

/** The authorizer in force, and how it is replaced: whole or not at all. */
export class PolicySource {
  readonly #options: PolicySourceOptions;
  #current: Authorizer;

  private constructor(options: PolicySourceOptions, policy: Policy) {
    this.#options = options;
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

  #adopt(policy: Policy, epoch: number): Authorizer {
    const { file, admins, trustDomains, log } = this.#options;
    log.info("policy loaded", { file, rules: policy.rules.length });
    const trusted = Array.from(trustDomains, (name) => TrustDomain.parse(name));
    for (const detail of policyWarnings(policy, trusted)) log.warn("policy warning", { file, detail });
    return new Authorizer({ policy, admins, epoch });
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
