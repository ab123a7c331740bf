import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runningOptions, serveOptionsTable } from "../../../src/config/serve-options.ts";
import { page } from "../../support/pages.ts";

const options = page("docs/options.md");

describe("docs/options.md", () => {
  // A reader configures a server from this table, so it has the flags, variables and defaults of the program.
  it("has the options of `coffer serve`", () => {
    assert.ok(options.text.includes(`\n${serveOptionsTable()}\n`), `the table should be:\n${serveOptionsTable()}`);
  });

  it("names the options of `coffer dev`, and no others", () => {
    const sentence = /`coffer dev` has\s+((?:`--[\w-]+`(?:, | and )?)+)/.exec(options.text.replaceAll("\n", " "));
    const flags = [...(sentence?.[1] ?? "").matchAll(/--[\w-]+/g)].map(([flag]) => flag);
    assert.deepEqual(
      flags,
      Object.values(runningOptions).map(({ flag }) => flag),
    );
  });
});
