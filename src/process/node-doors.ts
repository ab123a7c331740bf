import type { Environment } from "../config/option.ts";

/** How Node was started. */
export interface NodeStart {
  /** The options of Node's own on its command line, as in process.execArgv. */
  readonly execArgv: readonly string[];
  readonly env: Environment;
  /** Where a debugger can connect already, as node:inspector's url() says it; undefined: nowhere. */
  readonly inspector: string | undefined;
}

/** The options by how their names begin, and what each of them does to a server that holds secrets. */
const OPTIONS: readonly (readonly [prefix: string, effect: string])[] = [
  ["--inspect", "lets a debugger read all memory"],
  ["--tls-keylog", "writes the keys of every connection to a file"],
  ["--heapsnapshot-", "writes the memory of JavaScript to a file"],
  ["--heap-prof", "writes a profile of the memory to a file"],
  ["--cpu-prof", "writes a profile of what runs to a file"],
  ["--report-", "is about reports, which write the environment and the state of the process to a file"],
  // Such a file can hold any of those above, and process.execArgv does not tell.
  ["--experimental-config-file", "names a file that can hold options like --inspect"],
  ["--experimental-default-config-file", "reads a file that can hold options like --inspect"],
];

/** The doors that Node was told to open to the memory of this process, each as a sentence that names the option. */
export function openDoors({ execArgv, env, inspector }: NodeStart): string[] {
  const doors = [
    ...doorsAmong(execArgv, "node"),
    ...doorsAmong(splitNodeOptions(env["NODE_OPTIONS"] ?? ""), "NODE_OPTIONS"),
  ];
  // Its sections for streams and sockets print the bytes that pass, secrets among them.
  if (env["NODE_DEBUG"]) doors.push("NODE_DEBUG writes what connections carry to standard error");
  if (doors.length === 0 && inspector !== undefined) doors.push(`a debugger can connect already, at ${inspector}`);
  return doors;
}

function doorsAmong(given: readonly string[], source: string): string[] {
  const names = new Set(given.map(nameOf));
  return [...names].flatMap((name) => {
    const option = OPTIONS.find(([prefix]) => name.startsWith(prefix));
    return option === undefined ? [] : [`${source} ${name} ${option[1]}`];
  });
}

/** Node takes --heap_prof for --heap-prof. */
function nameOf(option: string): string {
  const [name = ""] = option.split("=", 1);
  return name.replaceAll("_", "-");
}

/** As Node splits them: at spaces, but not between double quotes, where a backslash makes the next character plain. */
function splitNodeOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^ "])+/gs) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, "$1")),
  );
}
