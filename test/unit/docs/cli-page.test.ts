import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { createProgram } from "../../../src/cli/command-tree.ts";
import { readCommitFile } from "../../../src/cli/document/commit-file.ts";
import { codeBlocks, page, table } from "../../support/pages.ts";

const cli = page("docs/cli.md");

/** Every command with its arguments and options, by the words that name it. */
async function allCommands(): Promise<ReadonlyMap<string, Command>> {
  const names = (await createProgram([], process)).commands.map((command) => command.name());
  const found = new Map<string, Command>();
  for (const name of names) {
    const command = (await createProgram([name], process)).commands.find((one) => one.name() === name);
    assert.ok(command);
    if (command.commands.length === 0) found.set(name, command);
    for (const child of command.commands) found.set(`${name} ${child.name()}`, child);
  }
  return found;
}

/** Whether the page has a flag: as inline code, or in a command line. */
function hasFlag(flag: string | undefined): boolean {
  return flag !== undefined && new RegExp(`[\\s\`]${flag}(?![\\w-])`).test(cli.text);
}

/** The fields of an operation, from the refusal of an unknown one. */
function fieldsOf(kind: string): string[] {
  try {
    readCommitFile(Buffer.from(`operations: [{${kind}: {unknown: x}}]`), "f");
  } catch (error) {
    const [, list = ""] = /unknown field: expected (.*)/.exec((error as Error).message) ?? [];
    return list.split(", ").sort();
  }
  return [];
}

describe("docs/cli.md", () => {
  it("has each command, and each of its options", async () => {
    const commands = await allCommands();
    assert.ok(commands.size > 25);
    for (const [name, command] of commands) {
      assert.ok(cli.text.includes(`coffer ${name}`), name);
      // docs/options.md describes the options of the server.
      if (name === "serve" || name === "dev") continue;
      for (const { short, long } of command.options) assert.ok(hasFlag(short) || hasFlag(long), `${name} ${long}`);
    }
  });

  it("has an example of a commit file that is valid", () => {
    const [example = ""] = codeBlocks(cli, "commit", "yaml");
    const { operations, guards } = readCommitFile(Buffer.from(example), "docs/cli.md");
    assert.deepEqual([operations.length, guards.length], [3, 1]);
  });

  it("has the fields of each operation of a commit file", () => {
    const rows = table(cli, "Operation", "Required", "Optional").flatMap((row) => {
      const fields = [...`${row["Required"]} ${row["Optional"]}`.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort();
      return [...row["Operation"]!.matchAll(/`(\w+)`/g)].map(([, kind]) => [kind!, fields] as const);
    });
    assert.equal(rows.length, 9);
    for (const [kind, fields] of rows) assert.deepEqual(fields, fieldsOf(kind), kind);
  });
});

describe("coffer commit --help", () => {
  it("has an example that is valid, with each operation", async () => {
    const command = (await allCommands()).get("commit");
    let help = "";
    command?.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const [, example = ""] = /coffer\.proto:\n\n(.*?)\n\ndocs\/cli\.md/s.exec(help) ?? [];
    const { operations } = readCommitFile(Buffer.from(example), "help");
    assert.deepEqual(operations.map(({ kind }) => kind).sort(), [
      "copy",
      "delete",
      "destroy",
      "metadata",
      "patch",
      "purge",
      "put",
      "restore",
      "undelete",
    ]);
  });
});
