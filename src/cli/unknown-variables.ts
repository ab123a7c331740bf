import type { Environment } from "../config/option.ts";
import { connectionOptions, statusOptions } from "./connection-options.ts";

/** A COFFER_ variable that this program does not read, and the known variable with the most similar name. */
export interface UnknownVariable {
  readonly name: string;
  readonly nearest: string;
}

/**
 * Variables that Kubernetes sets in every container for a Service whose name begins with "coffer", and that Docker sets
 * for a link to such a container: COFFER_SERVICE_HOST, COFFER_PORT, COFFER_PORT_8553_TCP_ADDR. No option has such a
 * name.
 */
const SET_BY_PLATFORMS = /_SERVICE_|_PORT(_|$)/;

/** Variables of the command of `coffer watch --exec`, which may be another `coffer`. */
const OF_CHANGES: ReadonlySet<string> = new Set(["COFFER_PATH", "COFFER_VERSION", "COFFER_STATE"]);

/** Variables of the test suite. Its tests run this program, which inherits them. */
const OF_TESTS = /^COFFER_TEST_/;

/**
 * The COFFER_ variables in `environment` that neither a client nor the server reads. Without a warning, a mistyped
 * COFFER_ADRR would leave the default in use, and a secret would be sent to the wrong server.
 */
export async function unknownVariables(environment: Environment): Promise<UnknownVariable[]> {
  const client = Object.values({ ...connectionOptions, ...statusOptions }).map(({ variable }) => variable);
  const suspects = Object.keys(environment).filter((name) => isOurs(name) && !client.includes(name));
  if (suspects.length === 0) return [];
  // Loaded on demand: most clients don't need the server's options.
  const { serveOptions } = await import("../config/serve-options.ts");
  const known = [...client, ...Object.values(serveOptions).map(({ variable }) => variable)];
  const unknown = suspects.filter((name) => !known.includes(name));
  return unknown.sort().map((name) => ({ name, nearest: nearestName(name, known) }));
}

/** Describes an unknown variable in one sentence, for standard error or the log. */
export function describeUnknown({ name, nearest }: UnknownVariable): string {
  return `unknown variable ${name} has no effect; did you mean ${nearest}?`;
}

function isOurs(name: string): boolean {
  const isForeign = SET_BY_PLATFORMS.test(name) || OF_TESTS.test(name) || OF_CHANGES.has(name);
  return name.startsWith("COFFER_") && !isForeign;
}

/**
 * Compares names without their prefixes first, so that COFFER_DATA is closer to COFFER_SERVER_DATA than to COFFER_ADDR.
 */
function nearestName(name: string, known: readonly string[]): string {
  const distance = (candidate: string) => [editDistance(bare(name), bare(candidate)), editDistance(name, candidate)];
  const [nearest = ""] = known.toSorted((one, other) => compare(distance(one), distance(other)));
  return nearest;
}

const bare = (name: string) => name.replace(/^COFFER_(SERVER_)?/, "");

function compare([bareOne = 0, one = 0]: readonly number[], [bareOther = 0, other = 0]: readonly number[]): number {
  return bareOne - bareOther || one - other;
}

/** The number of insertions, deletions and replacements that turn `one` into `other` (Levenshtein, 1966). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [index, character] of [...one].entries()) {
    const next = [index + 1];
    for (const [column, candidate] of [...other].entries()) {
      const replaced = (row[column] ?? 0) + Number(character !== candidate);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
