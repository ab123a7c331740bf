import type { Environment } from "../config/option.ts";

/** How Node was started. */
export interface NodeStart {
  /** Node's own options on its command line, as in process.execArgv. */
  readonly execArgv: readonly string[];
  readonly env: Environment;
  /** The URL where a debugger can connect, from url() of node:inspector; undefined if none can. */
  readonly inspector: string | undefined;
}

/** Prefixes of option names, and the effect of each option on a server that holds secrets. */
const OPTIONS: readonly (readonly [prefix: string, effect: string])[] = [
  ["--inspect", "lets a debugger read all memory"],
  ["--tls-keylog", "writes the keys of every connection to a file"],
  ["--heapsnapshot-", "writes the memory of JavaScript to a file"],
  ["--heap-prof", "writes a profile of the memory to a file"],
  ["--cpu-prof", "writes a CPU profile to a file"],
  ["--report-", "writes the environment and the state of the process to a file"],
  // Such a file can set any of the options above, and process.execArgv does not show them.
  ["--experimental-config-file", "names a file that can set options like --inspect"],
  ["--experimental-default-config-file", "reads a file that can set options like --inspect"],
];

/** The options of Node that expose the memory of this process, each as a sentence that names the option. */
export function debugOptions({ execArgv, env, inspector }: NodeStart): string[] {
  const found = [
    ...debugOptionsAmong(execArgv, "node"),
    ...debugOptionsAmong(splitNodeOptions(env["NODE_OPTIONS"] ?? ""), "NODE_OPTIONS"),
  ];
  // The sections of NODE_DEBUG for streams and sockets print the transferred bytes, secrets included.
  if (env["NODE_DEBUG"]) found.push("NODE_DEBUG writes the data of connections to standard error");
  if (found.length === 0 && inspector !== undefined) found.push(`a debugger can connect at ${inspector}`);
  return found;
}

function debugOptionsAmong(given: readonly string[], source: string): string[] {
  const names = new Set(given.map(nameOf));
  return [...names].flatMap((name) => {
    const option = OPTIONS.find(([prefix]) => name.startsWith(prefix));
    return option === undefined ? [] : [`${source} ${name} ${option[1]}`];
  });
}

/** Normalizes a name: Node treats --heap_prof as --heap-prof. */
function nameOf(option: string): string {
  const [name = ""] = option.split("=", 1);
  return name.replaceAll("_", "-");
}

/**
 * Splits NODE_OPTIONS as Node does: at spaces outside double quotes. Within quotes, a backslash escapes a character.
 */
function splitNodeOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^ "])+/gs) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, "$1")),
  );
}
