import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Ran, runToEnd } from "../support/cli-kit.ts";
import { copyRepository } from "../support/repository-copy.ts";

describe("npm run check", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-check-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const npmRun = (script: string): Promise<Ran> => runToEnd("npm", ["run", "--silent", script], { cwd: folder });

  // One run shows everything that is wrong. The steps are stand-ins with a known result.
  it("runs every step, shows what the failed ones printed, and fails if one did", async () => {
    cpSync("scripts", join(folder, "scripts"), { recursive: true });
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const steps = [
      "lint",
      "format:check",
      "typecheck",
      "unused",
      "links",
      "lint:proto",
      "breaking:proto",
      "generate:check",
    ];
    assert.deepEqual(
      steps.filter((step) => scripts[step] === undefined),
      [],
    );
    const write = (failing: readonly string[]) => {
      const stand = (step: string) => `echo about ${step}; exit ${failing.includes(step) ? 1 : 0}`;
      const standIns = Object.fromEntries(steps.map((step) => [step, stand(step)]));
      writeFileSync(
        join(folder, "package.json"),
        JSON.stringify({ scripts: { ...standIns, check: scripts["check"] } }),
      );
    };
    const outcome = (text: Buffer) => text.toString().replaceAll(/ \(.*s\)$/gm, "");

    write([]);
    const passed = await npmRun("check");
    assert.equal(passed.code, 0);
    assert.equal(outcome(passed.stdout), steps.map((step) => `ok     ${step}\n`).join(""));

    write(["lint", "links"]);
    const failed = await npmRun("check");
    assert.equal(failed.code, 1);
    assert.equal(failed.stderr, "failed: lint, links\n");
    const shown = (step: string) =>
      step === "lint" || step === "links" ? `FAILED ${step}\nabout ${step}\n\n` : `ok     ${step}\n`;
    assert.equal(outcome(failed.stdout), steps.map(shown).join(""));
  });

  // An unused export looks like an interface, and so hides that its code is unused. Imports by tests count as uses.
  it("finds an export that nothing imports, and nothing else in this repository", async () => {
    copyRepository(folder);
    const clean = await npmRun("unused");
    assert.equal(clean.code, 0, clean.stdout.toString());

    appendFileSync(join(folder, "src/domain/errors.ts"), "\nexport const nothingImportsThis = 1;\n");
    const { code, stdout } = await npmRun("unused");
    assert.equal(code, 1);
    assert.match(stdout.toString(), /^Unused exports \(1\)\nnothingImportsThis +src\/domain\/errors\.ts:/);
  });
});
