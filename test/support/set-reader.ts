// Reads a set of files continuously, as a workload does: it resolves the link `..data` once, and reads all files of that
// folder. Writes one JSON line for each problem, and for each new value. Arguments: the directory, the names of files.
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

const [directory = "", ...names] = process.argv.slice(2);

/** The values of all files; undefined if the folder was replaced in between, or there is none yet. */
function readSet(): readonly string[] | undefined {
  try {
    const folder = join(directory, readlinkSync(join(directory, "..data")));
    return names.map((name) => readFileSync(join(folder, name), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

let last: string | undefined;
function look(): void {
  const values = readSet();
  if (values !== undefined) {
    const [value = ""] = values;
    if (values.some((other) => other !== value)) report({ torn: values });
    else if (value !== last) report({ value });
    last = value;
  }
  setImmediate(look);
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

look();
