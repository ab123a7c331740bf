import { type Command, Option } from "commander";
import type { ClientError } from "../../client/client-error.ts";
import type { CofferClient } from "../../client/coffer-client.ts";
import { parseDuration, parseUint32 } from "../../config/value.ts";
import type { World } from "../../process/world.ts";
import { callsServer } from "../client-command.ts";
import { entriesOf } from "../entries-of.ts";
import { outputOption } from "../output-option.ts";
import { write } from "../output.ts";
import { listOf, parsed } from "../parsed.ts";
import { forTerminal } from "../printable.ts";
import { reading } from "../reading.ts";
import { type ReadTarget, readTarget } from "../read-target.ts";
import { expectSecretFile, writeSecretFile } from "../secret-file.ts";
import { SECRET_FORMATS, type SecretFormat, formatSecret } from "../secret-format.ts";

interface GetFlags {
  readonly output?: SecretFormat;
  readonly version?: number;
  readonly keys?: readonly string[];
  readonly batch?: boolean;
  readonly out?: string;
  readonly wait?: number;
}

const FORMATS = `
If the second argument contains a slash, or if there are more than two, all of them are paths. The
secrets are then read together, as of one revision of the store. With --batch, each argument is a path.

Formats:
  table   for humans; control characters are escaped
  json    path, version, revision, create_time, expire_time, data, and binary_data in base64; for
          several paths: store_revision and entries, each of which has these fields or an error
  env     export KEY='value' lines, quoted for sh; fails if a key is not a valid variable name, or
          is one that loaders and interpreters read, such as PATH or LD_PRELOAD
  raw     the bytes of one value, unchanged; on a terminal, control characters are escaped

Examples:
  coffer get shop/api/db
  coffer get shop/api/db shop/api/queue -o json
  coffer get shop/api/db --keys user,host
  PGPASSWORD=$(coffer get shop/api/db password)
  eval "$(coffer get shop/api/env -o env)"
  coffer get shop/api/tls tls.key --out /run/api/tls.key --wait 60s`;

/** `coffer get`. */
export function addGet(program: Command, world: World): void {
  const command = program
    .command("get <path> [key-or-paths...]")
    .description("Read a secret, some values of it, or several secrets.")
    .addOption(
      outputOption(
        new Option("-o, --output <format>", "raw with a key, otherwise table, or json with --out"),
        SECRET_FORMATS,
      ),
    )
    .option("--version <n>", "the version to read; the latest by default", parsed(parseUint32))
    .option("--keys <keys>", "only these keys, such as user,host; each has to exist [repeatable]", listOf)
    .option("--batch", "read each argument as a path, even one without a slash")
    .option(
      "--out <file>",
      "write to this file, which only you can read (0400), and replace it atomically; - is standard output",
      notEmpty,
    )
    .option("--wait <duration>", "retry while the secret does not exist or no server responds", parsed(parseDuration))
    .addHelpText("after", FORMATS);
  callsServer(command, world, async (client) => {
    const flags = command.opts<GetFlags>();
    const [path, more] = command.processedArgs as [string, string[]];
    await get(client, world, readTarget([path, ...more], flags), flags);
  });
}

const notEmpty = parsed((text) => {
  if (text === "") throw new Error("expected a file name, or - for standard output");
  return text;
});

/** What `get` prints, and the error with which it then fails. */
interface Read {
  readonly bytes: Uint8Array;
  readonly problem?: ClientError | undefined;
}

async function get(client: CofferClient, world: World, target: ReadTarget, flags: GetFlags): Promise<void> {
  const { untilAvailable } = await import("../wait.ts");
  const { wait = 0 } = flags;
  const out = flags.out === "-" ? undefined : flags.out;
  if (out !== undefined) await expectSecretFile(out);
  const isValue = target.kind === "secret" && target.key !== undefined;
  const format = flags.output ?? (isValue ? "raw" : out !== undefined ? "json" : "table");
  const read = () =>
    target.kind === "secret"
      ? readSecret(client, target, format)
      : readBatch(client, target.paths, { format, isComplete: wait > 0 });
  const { bytes, problem } = await reading(world, () => untilAvailable(read, wait));
  if (out !== undefined) await writeSecretFile(out, bytes);
  // A file or a pipe gets the bytes of the value. On a terminal, control characters in it would be executed.
  else await write(world.stdout, format === "raw" && world.stdout.isTTY ? forTerminal(bytes) : bytes);
  if (problem !== undefined) throw problem;
}

async function readSecret(
  client: CofferClient,
  { path, key, keys, version }: Extract<ReadTarget, { readonly kind: "secret" }>,
  format: SecretFormat,
): Promise<Read> {
  const secret = await client.get(path, { version, keys });
  return { bytes: formatSecret(secret, entriesOf(secret, key), format) };
}

/** Reads several secrets. With `isComplete`, fails if one of them can't be read, so that the call is repeated. */
async function readBatch(
  client: CofferClient,
  paths: readonly string[],
  { format, isComplete }: { readonly format: SecretFormat; readonly isComplete: boolean },
): Promise<Read> {
  const { formatBatch, batchProblem } = await import("../batch-format.ts");
  const batch = await client.batchGet(paths);
  const problem = batchProblem(batch);
  if (isComplete && problem !== undefined) throw problem;
  return { bytes: Buffer.from(formatBatch(batch, format)), problem };
}
