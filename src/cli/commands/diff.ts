import type { Command } from "commander";
import { isUtf8 } from "node:buffer";
import type { ContentEntry } from "../../domain/content.ts";
import { parseUint32 } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { addOutputOption, printAnswer } from "../answer-output.ts";
import { callsServer } from "../client-command.ts";
import { parsed } from "../parsed.ts";
import { table } from "../printable.ts";
import { reading } from "../reading.ts";
import { type KeyDifference, differencesOf } from "../version-difference.ts";

interface Difference {
  readonly path: string;
  readonly before: number;
  readonly after: number;
  readonly keys: readonly KeyDifference[];
}

/** `coffer diff`. */
export function addDiff(program: Command, world: World): void {
  const command = program
    .command("diff <path>")
    .argument("<version>", "the older version", parsed(parseUint32))
    .argument("<version2>", "the newer version", parsed(parseUint32))
    .description("Show which keys differ between two versions of a secret. Shows values only with --values.")
    .option("--values", "show the values");
  addOutputOption(command);
  callsServer(command, world, async (client) => {
    const [path, first, second] = command.processedArgs as [string, number, number];
    const get = (version: number) => client.get(path, { version });
    const [before, after] = await reading(world, () => Promise.all([get(first), get(second)]));
    const keys = differencesOf(before.content.entries(), after.content.entries());
    const difference = { path, before: before.version, after: after.version, keys };
    const { values = false } = command.opts<{ readonly values?: boolean }>();
    await printAnswer(command, world, differenceJson(difference, values), () => differenceTable(difference, values));
  });
}

function differenceTable({ path, before, after, keys }: Difference, values: boolean): string {
  if (keys.length === 0) return `${path}: versions ${before} and ${after} have the same content\n`;
  const heading = ["KEY", "CHANGE", `VERSION ${before}`, `VERSION ${after}`];
  const rows = keys.map(({ key, change, before, after }) => [key, change, shown(before), shown(after)]);
  return table([heading, ...rows].map((row) => (values ? row : row.slice(0, 2))));
}

function shown(entry: ContentEntry | undefined): string {
  if (entry === undefined) return "-";
  return isText(entry) ? Buffer.from(entry.value).toString() : `(${entry.value.length} bytes)`;
}

function differenceJson({ path, before, after, keys }: Difference, values: boolean): object {
  return {
    path,
    versions: [before, after],
    keys: keys.map(({ key, change, before, after }) => ({
      key,
      change,
      ...(values && { before: valueJson(before), after: valueJson(after) }),
    })),
  };
}

/** A text is a string. A binary value is an object with its base64, so that both forms can be told apart. */
function valueJson(entry: ContentEntry | undefined): string | { readonly base64: string } | undefined {
  if (entry === undefined) return undefined;
  const bytes = Buffer.from(entry.value);
  return isText(entry) ? bytes.toString() : { base64: bytes.toString("base64") };
}

function isText({ kind, value }: ContentEntry): boolean {
  return kind === "text" && isUtf8(value);
}
