import { parseArgs } from "node:util";
import type { AttackKind } from "./attack.ts";
import { ATTACK_KINDS } from "./attacks.ts";

/** The sections that a run can have. */
const SECTIONS = [
  "get",
  "put",
  "spread",
  "latency",
  "load",
  "pages",
  "verify",
  "flood",
  "start",
  "idle",
  "handover",
  "reload",
  "callers",
  "watch",
] as const;
export type Section = (typeof SECTIONS)[number];

/** A build of Coffer to compare with this one: of another commit, or for another Node. */
export interface OtherBuild {
  readonly name: string;
  /** The node binary. */
  readonly node: string;
  /** The folder of a Coffer build for that Node. */
  readonly checkout: string;
}

/** The options of `npm run bench --`. */
export interface Options {
  readonly sections: ReadonlySet<Section>;
  /** Whether to profile the calls of the sections "get" and "put" instead of measuring. */
  readonly profile: boolean;
  /** The values of `--threads` of the Coffer servers in the sections "get", "put", "spread" and "latency". */
  readonly threads: readonly number[];
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
  /** The length of each measurement, after a warm-up of a fifth of it. */
  readonly seconds: number;
  readonly rounds: number;
  /** The number of secrets in the servers during the sections "get" and "put". */
  readonly secrets: number;
  /** The number of secrets in the large store of the sections "load" and "pages". */
  readonly loadSecrets: number;
  /** The number of secrets in the store of the section "start". */
  readonly startSecrets: number;
  readonly idleConnections: number;
  readonly handOvers: number;
  /** How often the section "reload" replaces the policy, for each way of replacing files. */
  readonly policySwaps: number;
  /** The attacks of the section "callers". */
  readonly attacks: ReadonlySet<AttackKind>;
  /** `--max-connections` of the server during the attack "hoard" of the section "callers". */
  readonly hoardMaxConnections: number;
  readonly otherBuilds: readonly OtherBuild[];
}

const DEFAULTS = { connections: "8", "in-flight": "8", seconds: "5", rounds: "3", secrets: "100000" };

/** The sizes that no option sets, except `--quick`. */
const SIZES = {
  loadSecrets: 1_000_000,
  startSecrets: 10_000,
  idleConnections: 1000,
  handOvers: 100,
  policySwaps: 60,
  hoardMaxConnections: 1000,
};
const QUICK_SIZES = {
  loadSecrets: 50_000,
  startSecrets: 1000,
  idleConnections: 100,
  handOvers: 4,
  policySwaps: 8,
  hoardMaxConnections: 100,
};

/**
 * The defaults of `--quick`, which only checks that everything works: the numbers of such a short run have no meaning.
 */
const QUICK = { ...DEFAULTS, seconds: "1", rounds: "1", secrets: "5000" };

/** Reads the command line. Throws if it is invalid, with a message for the operator. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      only: { type: "string", default: SECTIONS.join(",") },
      connections: { type: "string" },
      "in-flight": { type: "string" },
      seconds: { type: "string" },
      rounds: { type: "string" },
      secrets: { type: "string" },
      threads: { type: "string", default: "1,2" },
      attacks: { type: "string", default: ATTACK_KINDS.join(",") },
      beside: { type: "string", multiple: true, default: [] },
    },
  });
  const defaults = values.quick ? QUICK : DEFAULTS;
  const number = (name: keyof typeof DEFAULTS) => positiveInteger(name, values[name] ?? defaults[name]);
  return {
    sections: setOf("only", SECTIONS, values.only),
    profile: values.profile,
    threads: values.threads.split(",").map((text) => positiveInteger("threads", text)),
    connections: number("connections"),
    inFlight: number("in-flight"),
    seconds: number("seconds"),
    rounds: number("rounds"),
    secrets: number("secrets"),
    attacks: setOf("attacks", ATTACK_KINDS, values.attacks),
    ...(values.quick ? QUICK_SIZES : SIZES),
    otherBuilds: values.beside.map(otherBuild),
  };
}

/** Splits a comma-separated list. Throws if a name in it is unknown. */
function setOf<Name extends string>(option: string, known: readonly Name[], text: string): ReadonlySet<Name> {
  const knownName = (name: string) => {
    const found = known.find((other) => other === name);
    if (found === undefined) throw new Error(`invalid --${option} "${name}": expected ${known.join(", ")}`);
    return found;
  };
  return new Set(text.split(",").map(knownName));
}

function otherBuild(text: string): OtherBuild {
  const [, name, node, checkout] = /^(.+?)=(.+),(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`invalid --beside "${text}": expected NAME=NODE,CHECKOUT`);
  return { name, node: node!, checkout: checkout! };
}

function positiveInteger(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`invalid --${name} "${text}": expected a positive integer`);
  return value;
}
