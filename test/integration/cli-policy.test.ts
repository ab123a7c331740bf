import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { coffer } from "../support/cli-kit.ts";

const API = "spiffe://example.org/ns/shop/sa/api";

describe("coffer policy check", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-policy-check-"));
  before(() => {
    const rule = `{name: "the shop's own", spiffe_ids: [${API}], paths: [shop/**], actions: [read, list]}`;
    writeFileSync(join(folder, "good.yaml"), `rules:\n  - ${rule}\n`);
    writeFileSync(join(folder, "bad.yaml"), `rules:\n  - ${rule.replace("read", "get")}\n  - {paths: [a*]}\n`);
    writeFileSync(join(folder, "empty.yaml"), "");
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs the command without variables: it needs no server and no identity. Arguments are separated by spaces. */
  async function check(line: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const ran = await coffer(["policy", "check", ...line.split(" ")], { cwd: folder });
    return { ...ran, stdout: ran.stdout.toString() };
  }

  it("accepts a valid file", async () => {
    assert.deepEqual(await check("good.yaml"), { code: 0, stdout: "good.yaml is valid: 1 rule\n", stderr: "" });
  });

  it("reports each problem with its line and column, and exits with 2, with and without a question", async () => {
    for (const question of ["", ` --as ${API} --action read --path shop/x`]) {
      const { code, stdout, stderr } = await check(`bad.yaml${question}`);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.deepEqual(
        stderr.split("\n").map((line) => /^coffer: (bad\.yaml:\d+:\d+): /.exec(line)?.[1]),
        ["bad.yaml:2:109", "bad.yaml:3:5", "bad.yaml:3:5", "bad.yaml:3:14", undefined],
        stderr,
      );
    }
  });

  it("reports a file that is empty or missing", async () => {
    const refusal = (problem: string) => ({ code: 2, stdout: "", stderr: `coffer: the policy ${problem}\n` });
    assert.deepEqual(await check("empty.yaml"), refusal("empty.yaml is empty"));
    assert.deepEqual(await check("missing.yaml"), refusal("missing.yaml does not exist"));
    assert.deepEqual(await check("."), refusal(". is not a regular file"));
  });

  it("answers yes with the rule, and exits with 0", async () => {
    assert.deepEqual(await check(`good.yaml --as ${API} --action read --path shop/x`), {
      code: 0,
      stdout: `allowed by the shop's own: ${API} to read shop/x\n`,
      stderr: "",
    });
  });

  it("answers no, and exits with 4", async () => {
    const other = "spiffe://example.org/ns/shop/sa/web";
    const questions: [caller: string, action: string, path: string][] = [
      [other, "read", "shop/x"],
      [API, "write", "shop/x"],
      [API, "read", "shopping/x"],
    ];
    for (const [caller, action, path] of questions) {
      assert.deepEqual(await check(`good.yaml --as ${caller} --action ${action} --path ${path}`), {
        code: 4,
        stdout: "",
        stderr: `coffer: denied: no rule allows ${caller} to ${action} ${path}\n`,
      });
    }
  });

  it("allows every action to each admin", async () => {
    const admins = "--admin spiffe://example.org/root --admin spiffe://example.org/admin";
    const question = "--as spiffe://example.org/admin --action delete --path a/b";
    assert.equal((await check(`good.yaml ${question}`)).code, 4);
    assert.equal(
      (await check(`good.yaml ${admins} ${question}`)).stdout,
      "allowed by --admin: spiffe://example.org/admin to delete a/b\n",
    );
  });

  it("refuses an incomplete or invalid question", async () => {
    const wrong: [line: string, message: RegExp][] = [
      [`--as ${API} --action read`, /--as, --action and --path belong together/],
      ["--path shop/x", /--as, --action and --path belong together/],
      [
        `--as ${API} --action get --path shop/x`,
        /unknown action "get": expected read, write, delete, destroy, list, describe, watch/,
      ],
      ["--as me --action read --path shop/x", /invalid SPIFFE ID "me"/],
      [`--as ${API} --action read --path /shop`, /begins with a slash/],
    ];
    for (const [line, message] of wrong) {
      const { code, stdout, stderr } = await check(`good.yaml ${line}`);
      assert.deepEqual([code, stdout], [2, ""], line);
      assert.match(stderr, message);
    }
  });
});
