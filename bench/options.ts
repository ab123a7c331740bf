import { parseArgs } from "node:util";
import type { Conduct } from "./attack.ts";
import { CONDUCTS } from "./attacks.ts";

/** The parts that a run can have. */
const SECTIONS = ["get", "put", "load", "verify", "flood", "start", "idle", "handover", "reload", "callers"] as const;
export type Section = (typeof SECTIONS)[number];

/** Another Coffer that is measured beside this one: of another commit, or on another Node. */
export interface Rival {
  readonly name: string;
  /** The node binary. */
  readonly node: string;
  /** A folder with a Coffer that was built for that Node. */
  readonly checkout: string;
}

/** What `npm run bench --` was told. */
export interface Options {
  readonly sections: ReadonlySet<Section>;
  /** Instead of everything else: where the time of Coffer's Get goes. */
  readonly profile: boolean;
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly inFlight: number;
  /** How long each measurement takes, after a warm-up of a fifth of it. */
  readonly seconds: number;
  readonly rounds: number;
  /** How many secrets the servers hold while Get and Put are measured. */
  readonly secrets: number;
  /** How many the large store of the section "load" holds. */
  readonly loadSecrets: number;
  /** How many the store of the section "start" holds. */
  readonly startSecrets: number;
  readonly idleConnections: number;
  readonly handOvers: number;
  /** How often the section "reload" replaces the policy, in each way that files are replaced. */
  readonly policySwaps: number;
  /** What the attackers of the section "callers" do. */
  readonly attacks: ReadonlySet<Conduct>;
  /** The connections that the server of the section "callers" allows while one identity takes all of them. */
  readonly placesToTake: number;
  readonly rivals: readonly Rival[];
}

const DEFAULTS = { connections: "4", "in-flight": "16", seconds: "5", rounds: "3", secrets: "100000" };

/** How much there is of what has no option of its own. */
const SIZES = {
  loadSecrets: 1_000_000,
  startSecrets: 10_000,
  idleConnections: 1000,
  handOvers: 100,
  policySwaps: 60,
  placesToTake: 1000,
};
const QUICK_SIZES = {
  loadSecrets: 50_000,
  startSecrets: 1000,
  idleConnections: 100,
  handOvers: 4,
  policySwaps: 8,
  placesToTake: 100,
};

/** Only shows that everything works: the numbers of so short a run mean nothing. */
const QUICK = { ...DEFAULTS, seconds: "1", rounds: "1", secrets: "5000" };

/** Reads the command line. Throws, with a message for a person, when it makes no sense. */
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
      attacks: { type: "string", default: CONDUCTS.join(",") },
      beside: { type: "string", multiple: true, default: [] },
    },
  });
  const defaults = values.quick ? QUICK : DEFAULTS;
  const number = (name: keyof typeof DEFAULTS) => positiveInteger(name, values[name] ?? defaults[name]);
  return {
    sections: setOf("only", SECTIONS, values.only),
    profile: values.profile,
    connections: number("connections"),
    inFlight: number("in-flight"),
    seconds: number("seconds"),
    rounds: number("rounds"),
    secrets: number("secrets"),
    attacks: setOf("attacks", CONDUCTS, values.attacks),
    ...(values.quick ? QUICK_SIZES : SIZES),
    rivals: values.beside.map(rival),
  };
}

/** The names in a list with commas, all of which must be known. */
function setOf<Name extends string>(option: string, known: readonly Name[], text: string): ReadonlySet<Name> {
  const named = (name: string) => {
    const found = known.find((other) => other === name);
    if (found === undefined) throw new Error(`--${option} knows ${known.join(", ")}, and not "${name}"`);
    return found;
  };
  return new Set(text.split(",").map(named));
}

function rival(text: string): Rival {
  const [, name, node, checkout] = /^(.+?)=(.+),(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`--beside must be NAME=NODE,CHECKOUT, not "${text}"`);
  return { name, node: node!, checkout: checkout! };
}

function positiveInteger(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a positive integer, not "${text}"`);
  return value;
}
