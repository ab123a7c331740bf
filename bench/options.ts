import { parseArgs } from "node:util";

/** The parts that a run can have. */
export const SECTIONS = ["get", "put", "load", "verify", "flood"] as const;
export type Section = (typeof SECTIONS)[number];

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
}

const DEFAULTS = { connections: "4", "in-flight": "16", seconds: "5", rounds: "3", secrets: "100000" };

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
    },
  });
  const defaults = values.quick ? QUICK : DEFAULTS;
  const number = (name: keyof typeof DEFAULTS) => positiveInteger(name, values[name] ?? defaults[name]);
  return {
    sections: new Set(values.only.split(",").map(section)),
    profile: values.profile,
    connections: number("connections"),
    inFlight: number("in-flight"),
    seconds: number("seconds"),
    rounds: number("rounds"),
    secrets: number("secrets"),
    loadSecrets: values.quick ? 50_000 : 1_000_000,
  };
}

function section(name: string): Section {
  const found = SECTIONS.find((known) => known === name);
  if (found === undefined) throw new Error(`--only knows ${SECTIONS.join(", ")}, and not "${name}"`);
  return found;
}

function positiveInteger(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a positive integer, not "${text}"`);
  return value;
}
