import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { coffer, runToEnd } from "../support/cli-kit.ts";

// Command lines up to the cursor, and some of the expected completions. The last word is incomplete.
const LINES: readonly (readonly [line: readonly string[], expected: readonly string[], never?: string])[] = [
  [["ge"], ["get"], "put"],
  [["get", "--w"], ["--wait"], "--versions"],
  [
    ["get", "a/b", "--out"],
    ["--out", "--output"],
  ],
  [["get", "-o", "j"], ["json"]],
  [["policy", "ch"], ["check"]],
  [["policy", "check", "--ac"], ["--action"]],
  [["completion", "f"], ["fish"]],
  [["serve", "--lock"], ["--lock-wait"]],
  [["und"], ["undelete"], "destroy"],
  [["watch", "--"], ["--prefix", "--exec", "--once", "--values"], "--watch"],
  [["watch", "a/b", "-o", "t"], ["text"], "table"],
  [["run", "--"], ["--watch", "--min-interval", "--grace"], "--exec"],
  [["delete", "a/b", "--re"], ["--require-converged"], "--yes"],
  [["destroy", "a/b", "--min"], ["--min-watchers"], "--yes"],
  [["undelete", "a/b", "--"], ["--versions"], "--min-watchers"],
  [["destroy", "a/b", "--"], ["--versions", "--yes", "--request-id"], "--out"],
  [["metadata", "s"], ["set"], "destroy"],
  [["metadata", "set", "--max"], ["--max-versions"]],
  [["list", "--delimiter", ""], ["/"]],
  [
    ["commit", "-o", ""],
    ["json", "table"],
  ],
];

describe("coffer completion", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-completion-"));
  const script = (shell: string) => join(folder, `coffer.${shell}`);
  before(async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout, stderr } = await coffer(["completion", shell]);
      assert.deepEqual([code, stderr], [0, ""]);
      writeFileSync(script(shell), stdout);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  /** The completions that each shell offers for a line, requested without a terminal. */
  const completions: Readonly<Record<string, (line: readonly string[]) => Promise<string>>> = {
    // This calls the completion function as readline does.
    bash: (line) => outputOf("bash", ["--noprofile", "--norc", ...bashLine(line)]),
    // These functions belong to the line editor. Here compadd prints its arguments, and the others do nothing.
    zsh: (line) => {
      const words = ["coffer", ...line].map((word) => `'${word}'`).join(" ");
      const frame = `compadd() { print -l -- "\${@[2,-1]}" }; _files() { }; compdef() { }; source ${script("zsh")}`;
      return outputOf("zsh", ["-fc", `${frame}; words=(${words}); CURRENT=\${#words}; _coffer`]);
    },
    fish: (line) => outputOf("fish", ["-Nc", `source ${script("fish")}; complete -C 'coffer ${line.join(" ")}'`]),
  };

  function bashLine(line: readonly string[]): string[] {
    const words = ["coffer", ...line].map((word) => `'${word}'`).join(" ");
    const call = `COMP_WORDS=(${words}); COMP_CWORD=${line.length}; _coffer; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return ["-c", `source ${script("bash")}; ${call}`];
  }

  async function outputOf(shell: string, words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(shell, words, {});
    assert.equal(stderr, "");
    assert.equal(code, 0);
    return stdout.toString();
  }

  for (const [shell, complete] of Object.entries(completions)) {
    const isMissing = spawnSync(shell, ["--version"]).status !== 0;
    // Shells offer commands, options and values of the command on the line, and of no other command.
    it(`completes in ${shell}`, { skip: isMissing && `${shell} is not installed` }, async () => {
      for (const [line, expected, never] of LINES) {
        const offered = (await complete(line)).split("\n").map((text) => text.split("\t")[0]);
        for (const word of expected) assert.ok(offered.includes(word), `${line.join(" ")}: ${offered.join(" ")}`);
        if (shell !== "zsh") assert.ok(never === undefined || !offered.includes(never), `${line.join(" ")}: ${never}`);
      }
    });
  }

  // The words after -- belong to another program.
  it("offers nothing after --", async () => {
    const [line] = [["run", "a/b", "--", "ge"]];
    assert.equal((await completions["bash"]!(line!)).trim(), "");
  });

  it("refuses an unknown shell", async () => {
    const ran = await coffer(["completion", "tcsh"]);
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /Allowed choices are bash, zsh, fish/);
  });
});
