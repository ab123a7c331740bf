import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { prepareDevelopment } from "../../../src/app/prepare-development.ts";
import { readRunningConfig } from "../../../src/config/read-serve-config.ts";
import { runningOptions, serveOptionsTable } from "../../../src/config/serve-options.ts";
import { devSession } from "../../../src/cli/dev-session.ts";
import { systemClock } from "../../../src/domain/timers.ts";
import { bareCodes, contractErrors } from "../../support/contract-errors.ts";
import { page, table } from "../../support/pages.ts";

const readme = page("README.md");

describe("the README", () => {
  it("has the options that the program has", () => {
    assert.ok(readme.text.includes(`\n${serveOptionsTable()}\n`), `the table should be:\n${serveOptionsTable()}`);
    const sentence = /`coffer dev` has\s+((?:`--[\w-]+`(?:, | and )?)+)/.exec(readme.text.replaceAll("\n", " "));
    const flags = [...(sentence?.[1] ?? "").matchAll(/--[\w-]+/g)].map(([flag]) => flag);
    assert.deepEqual(
      flags,
      Object.values(runningOptions).map(({ flag }) => flag),
    );
  });

  // Whoever pastes from the README and whoever pastes from the terminal run the same session.
  it("has the session that `coffer dev` prints, line by line", (t) => {
    const printed = printedSession(t);
    assert.ok(printed.length > 15);
    const blocks = [...readme.text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!.trim().split("\n"));
    const shown = blocks.flat().filter((line) => line !== "" && !/^(npm|docker|#)/.test(line));
    assert.deepEqual(shown, printed);
  });

  // A newcomer pastes them into an interactive shell. zsh takes an unquoted ? or * for a pattern that has to match a file,
  // and a # there for a word like any other.
  it("has lines that no shell takes for a pattern or half a comment", () => {
    const blocks = [...readme.text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!.trim().split("\n"));
    for (const line of blocks.flat()) {
      assert.doesNotMatch(line.replaceAll(/'[^']*'|"[^"]*"/g, ""), /[?*[\]#~^(){}]/, line);
    }
  });

  // What it tells callers to conclude is what the contract says of every error that a Put or a Delete can end with.
  it("says of each error what the contract says", () => {
    const contract = new Map(contractErrors().map((error) => [error.reason, error]));
    const all = table(readme, "Code", "Reason", "Applied?", "What to do").filter(({ Code }) => Code !== "OK");
    const bare = all.filter(({ Reason }) => Reason === "none").map((row) => [row["Code"]!, row["Applied?"]!] as const);
    assert.deepEqual(new Map(bare), bareCodes());
    const rows = all.filter(({ Reason }) => Reason !== "none");
    const told = rows.flatMap((row) =>
      row["Reason"]!.split(", ").map((reason) => ({ code: row["Code"], reason, applied: row["Applied?"] })),
    );
    assert.deepEqual(
      told,
      told.map(({ reason }) => contract.get(reason)),
    );
    // Get and List alone can end with these.
    const others = ["CONTENT_UNREADABLE", "INVALID_PAGE_TOKEN", "VERSION_DELETED"];
    assert.deepEqual([...told.map(({ reason }) => reason), ...others].sort(), [...contract.keys()].sort());
  });
});

/** The lines to paste, for a server at the default address that was started as `npm run dev` does. */
function printedSession(t: { after(task: () => void): void }): string[] {
  const folder = mkdtempSync(join(tmpdir(), "coffer-docs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const running = readRunningConfig({}, {}, { total: 1024, constrained: 0 });
  const { minted, config } = prepareDevelopment({ ...running, folder, clock: systemClock });
  const [address] = config.listen;
  assert.ok(address?.kind === "tcp");
  const session = devSession({ address, minted, program: "node dist/src/main.js", policy: config.policy! });
  const lines = session.replaceAll(`${folder}/`, "").split("\n");
  return lines.filter((line) => line.startsWith("  ")).map((line) => line.trim());
}
