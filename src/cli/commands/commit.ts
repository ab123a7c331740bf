import type { Command } from "commander";
import type { OperationOutcome } from "../../client/operations.ts";
import type { World } from "../../process/world.ts";
import { addYes, changesStore } from "../change-command.ts";
import { showTime, table } from "../printable.ts";
import { readDocument } from "../value-source.ts";

interface CommitFlags {
  readonly file: string;
  readonly allowEmpty?: boolean;
  readonly yes?: boolean;
}

const FILE = `
The file has the fields of CommitRequest in coffer.proto:

  operations:
    - put:
        path: shop/api/db
        data:
          user: app
          password: {file: password.txt}    # the bytes of a file, relative to this file
          token: {env: DB_TOKEN}            # a variable of the environment
          seed: {base64: 3q2+7w==}          # binary
        ttl: 30d
        expected_version: 3
    - patch: {path: shop/api/queue, data: {host: q2.example}, remove: [port]}
    - delete: {path: shop/api/old, versions: [1, 2]}
    - undelete: {path: shop/api/old, versions: [3]}
    - destroy: {path: shop/api/old, versions: [1]}
    - restore: {path: shop/api/old, version: 2}
    - copy: {source: shop/api/db, target: shop/web/db}
    - purge: {path: shop/api/older}
    - metadata: {path: shop/api/db, max_versions: 20, labels: {team: shop}}
  guards:
    - {path: shop/api/flags, expected_version: 7}

docs/cli.md describes all fields.`;

/** `coffer commit`. */
export function addCommit(program: Command, world: World): void {
  const command = program
    .command("commit")
    .description(
      "Make the changes of a file, all of them or none, in one commit. If one operation is refused, nothing is changed, and " +
        "the message has its index, from 0. Asks for a confirmation if an operation can't be undone.",
    )
    .requiredOption("-f, --file <file>", "the file, in YAML or JSON; - is standard input")
    .option("--allow-empty", "store values that are empty")
    .addHelpText("after", FILE);
  addYes(command);
  changesStore(command, world, {
    run: async ({ client, options, attempt }) => {
      const flags = command.opts<CommitFlags>();
      const { operations, guards } = await readCommit(flags, world);
      const { readOperations, finalChanges } = await import("../commit-operations.ts");
      const read = await readOperations(operations, { ...flags, surroundings: world });
      const final = flags.yes ? undefined : await finalChanges(client, read);
      if (final !== undefined) await (await import("../confirmation.ts")).confirm(final, flags, world);
      return attempt(() => client.commit(read, { ...options, guards }));
    },
    show: ({ results, revision }) =>
      `${table([["OPERATION", "PATH", "RESULT"], ...results.map(resultRow)])}committed as revision ${revision}\n`,
  });
}

async function readCommit({ file }: CommitFlags, world: World) {
  const { readCommitFile } = await import("../document/commit-file.ts");
  const bytes = await readDocument("the commit file", file, world);
  return readCommitFile(bytes, file === "-" ? "standard input" : file);
}

function resultRow(result: OperationOutcome, index: number): readonly string[] {
  return [String(index), result.path, resultText(result)];
}

function resultText(result: OperationOutcome): string {
  switch (result.kind) {
    case "added":
      return `version ${result.version}${result.expireTime === undefined ? "" : `, expires ${showTime(result.expireTime)}`}`;
    case "versions":
      return result.versions.length === 0 ? "unchanged" : `version ${result.versions.join(", ")}`;
    case "purged":
      return `purged, last version ${result.lastVersion}`;
    case "settings":
      return "settings changed";
  }
}
