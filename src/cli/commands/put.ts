import type { Command } from "commander";
import { Content, type ContentEntry } from "../../domain/content.ts";
import type { World } from "../../process/world.ts";
import { type Assignment, parseAssignments, readEntries } from "../assignment.ts";
import { addExpectedVersion, changesStore } from "../change-command.ts";
import { CommandFailed } from "../command-failed.ts";
import { type ExpiryFlags, addExpiry, expiryOf } from "../expiry-options.ts";
import { readDocument } from "../value-source.ts";
import { showAdded } from "../version-text.ts";

interface PutFlags extends ExpiryFlags {
  readonly json?: string;
  readonly allowEmpty?: boolean;
}

const VALUES = `
Where a value comes from:
  key=@FILE   the bytes of a file, unchanged
  key=-       the bytes of standard input, unchanged, including a trailing line break
  key=?       two prompts, without echo; quote it in zsh: 'key=?'
  key=VALUE   the command line; only for values that are not secret: other users of this machine can
              read it (ps, /proc), and your shell keeps it in its history
  key:=VALUE  the same, for a VALUE that begins with @ or is - or ?

An empty value is refused without --allow-empty.

A value that is UTF-8 is stored as text, any other value as binary. The new version replaces all
keys of the secret. With --json, each key of a flat JSON object becomes a key of the secret; numbers
and booleans become the text that is written in the file.

Examples:
  coffer put shop/api/db user=app 'password=?'
  pwgen 32 1 | tr -d '\\n' | coffer put shop/api/db password=-
  coffer put shop/api/tls tls.crt=@api.pem tls.key=@api.key --expected-version 0
  generate-config | coffer put shop/api/config --json - --ttl 30d`;

/** `coffer put`. */
export function addPut(program: Command, world: World): void {
  const command = program
    .command("put <path> [key=value...]")
    .description("Write a new version of a secret. Prints its number when it is on the server's disk.")
    .option("--json <file>", "read keys and values from a flat JSON object; - is standard input")
    .option("--allow-empty", "store values that are empty")
    .addHelpText("after", VALUES);
  addExpiry(command);
  addExpectedVersion(command, "this is the latest version; 0: only if the secret does not exist");
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const [path, texts = []] = command.processedArgs as [string, string[]?];
      const flags = command.opts<PutFlags>();
      const expiry = expiryOf(flags);
      const content = Content.unchecked(await readAll(texts, flags, world));
      return attempt(() => client.put(path, content, { ...options, ...expiry }));
    },
    show: showAdded,
  });
}

async function readAll(
  texts: readonly string[],
  { json, ...reading }: PutFlags,
  world: World,
): Promise<ContentEntry[]> {
  if (json === undefined) {
    if (texts.length === 0) throw new CommandFailed("usage", "no key: expected key=value or --json");
    return readEntries(parseAssignments(texts), world, reading);
  }
  // Two sources of keys would need a rule for a key that both have.
  if (texts.length > 0) throw new CommandFailed("usage", "use either key=value or --json");
  return readEntries(await readJson(json, world), world, reading);
}

async function readJson(file: string, world: World): Promise<readonly Assignment[]> {
  const { readFlatObject } = await import("../document/flat-object.ts");
  return readFlatObject(await readDocument("the JSON object", file, world), file === "-" ? "standard input" : file);
}
