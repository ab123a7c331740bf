import type { Command } from "commander";
import { parseUint32 } from "../../config/value.ts";
import { Content } from "../../domain/content.ts";
import { parseAssignments, readEntries } from "../assignment.ts";
import { callsServer } from "../client-command.ts";
import { parsed } from "../parsed.ts";
import { write } from "../output.ts";
import type { World } from "../../process/world.ts";

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
keys of the secret.

Examples:
  coffer put shop/api/db user=app 'password=?'
  pwgen 32 1 | tr -d '\\n' | coffer put shop/api/db password=-
  coffer put shop/api/tls tls.crt=@api.pem tls.key=@api.key --expected-version 0`;

/** `coffer put`. */
export function addPut(program: Command, world: World): void {
  const command = program
    .command("put <path> <key=value...>")
    .description("Write a new version of a secret. Prints its number when it is on the server's disk.")
    .option(
      "--expected-version <n>",
      "write only if this is the latest version; 0: only if the secret does not exist",
      parsed(parseUint32),
    )
    .option("--allow-empty", "store values that are empty")
    .addHelpText("after", VALUES);
  callsServer(command, world, async (client) => {
    const { change } = await import("../unclear-change.ts");
    const [path, texts] = command.processedArgs as [string, string[]];
    const entries = await readEntries(parseAssignments(texts), world, command.opts());
    const { version, revision } = await change(() => client.put(path, Content.unchecked(entries), command.opts()));
    await write(world.stdout, `${path} version ${version} (revision ${revision})\n`);
  });
}
