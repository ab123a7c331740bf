import { type Command, Option } from "commander";
import { parseDuration, parseUint32 } from "../../config/value.ts";
import type { CofferClient } from "../../client/coffer-client.ts";
import { callsServer } from "../client-command.ts";
import { entriesOf } from "../entries-of.ts";
import { outputOption } from "../output-option.ts";
import { parsed } from "../parsed.ts";
import { forTerminal } from "../printable.ts";
import { expectSecretFile, writeSecretFile } from "../secret-file.ts";
import { SECRET_FORMATS, type SecretFormat, formatSecret } from "../secret-format.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

interface GetOptions {
  readonly output?: SecretFormat;
  readonly version?: number;
  readonly out?: string;
  readonly wait?: number;
}

const FORMATS = `
Formats:
  table   for humans; control characters are escaped
  json    path, version, revision, create_time, data, and binary_data in base64
  env     export KEY='value' lines, quoted for sh; fails if a key is not a valid variable name, or
          is one that loaders and interpreters read, such as PATH or LD_PRELOAD
  raw     the bytes of one value, unchanged; on a terminal, control characters are escaped

Examples:
  coffer get shop/api/db
  PGPASSWORD=$(coffer get shop/api/db password)
  eval "$(coffer get shop/api/env -o env)"
  coffer get shop/api/tls tls.key --out /run/api/tls.key --wait 60s`;

/** `coffer get`. */
export function addGet(program: Command, world: World): void {
  const command = program
    .command("get <path> [key]")
    .description("Read a secret, or one value of it.")
    .addOption(
      outputOption(
        new Option("-o, --output <format>", "raw with a key, otherwise table, or json with --out"),
        SECRET_FORMATS,
      ),
    )
    .option("--version <n>", "the version to read; the latest by default", parsed(parseUint32))
    .option(
      "--out <file>",
      "write to this file, which only you can read (0400), and replace it atomically; - is standard output",
      notEmpty,
    )
    .option("--wait <duration>", "retry while the secret does not exist or no server responds", parsed(parseDuration))
    .addHelpText("after", FORMATS);
  callsServer(command, world, async (client) => {
    const [path, key] = command.processedArgs as [string, string | undefined];
    await get(client, world, { path, key }, command.opts());
  });
}

const notEmpty = parsed((text) => {
  if (text === "") throw new Error("expected a file name, or - for standard output");
  return text;
});

async function get(
  client: CofferClient,
  world: World,
  { path, key }: { readonly path: string; readonly key: string | undefined },
  { output, version, out: given, wait = 0 }: GetOptions,
): Promise<void> {
  const { untilAvailable } = await import("../wait.ts");
  const out = given === "-" ? undefined : given;
  if (out !== undefined) await expectSecretFile(out);
  const secret = await untilAvailable(() => client.get(path, { version }), wait);
  const format = output ?? (key !== undefined ? "raw" : out !== undefined ? "json" : "table");
  const bytes = formatSecret(secret, entriesOf(secret, key), format);
  if (out !== undefined) return writeSecretFile(out, bytes);
  // A file or a pipe gets the bytes of the value. On a terminal, control characters in it would be executed.
  await write(world.stdout, format === "raw" && world.stdout.isTTY ? forTerminal(bytes) : bytes);
}
