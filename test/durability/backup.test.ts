import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import type { Ran } from "../support/cli-kit.ts";
import { ADMIN } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { codeBlocks, page, table } from "../support/pages.ts";
import { pasted } from "../support/pasted-commands.ts";

const operations = page("docs/operations.md");
const [copy, copyOfKey] = codeBlocks(operations, "Backup", "sh");
const [restore, check] = codeBlocks(operations, "Restore", "sh");

const site = new Site();
after(() => site.remove());

const SECRET = { path: "shop/api/db", data: { password: "first" } };

/** The folders and the user in the commands of docs/operations.md, and their replacements in this test. */
const SUBSTITUTES: readonly (readonly [string, string])[] = [
  ["/var/lib/coffer", site.data],
  ["/etc/coffer/root.key", site.rootKey],
  ["/backup", join(site.folder, "backup")],
  ["/safe", join(site.folder, "safe")],
  ["65532:65532", `${process.getuid!()}:${process.getgid!()}`],
];

/** Runs a block of the page, with the substitutes. */
async function run(block: string | undefined, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const commands = SUBSTITUTES.reduce((text, [from, to]) => text.replaceAll(from, to), block!);
  const ran = await pasted(commands, { env });
  assert.equal(ran.code, 0, `${commands}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

async function put(password: string): Promise<void> {
  const server = await site.start();
  const caller = site.caller(server);
  assert.equal((await caller.put({ ...SECRET, data: { password } })).code, "OK");
  caller.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
}

/** The messages that the page quotes for a class of refused starts. */
function quoted(className: string): string[] {
  const rows = table(operations, "Class", "Message", "Fix");
  const cell = rows.find((row) => row["Class"] === className)!["Message"]!;
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, message]) => message!);
}

describe("the backup of docs/operations.md", () => {
  // A value is put, and the commands of the page copy the store. Then a later value is put.
  before(async () => {
    await put("first");
    await run(copy);
    await run(copyOfKey);
    await put("second");
  });

  // The later value is lost. This is the rollback that the page warns of.
  it("is restored by the commands of the page", async () => {
    rmSync(site.rootKey);
    await run(restore);
    const server = await site.start();
    const { stdout } = await run(check, site.variables(ADMIN, server));
    assert.equal(stdout.toString(), "SERVING\nfirst");
    assert.equal(server.lines("store loaded")[0]!["versions"], 1);
    await server.stop();
  });

  // A missing root key and another root key are both refused, and neither refusal changes the store: with its own key
  // it opens again.
  it("is refused without its root key, with the messages of the page", async () => {
    const key = `${site.rootKey}.away`;
    renameSync(site.rootKey, key);
    const missing = await site.refusal();
    assert.equal(missing.code, 2, missing.stderr);
    assert.ok(missing.stderr.includes(`${site.rootKey} ${quoted("root key file")[0]}`), missing.stderr);

    makeRootKey(site.rootKey);
    const other = await site.refusal();
    assert.equal(other.code, 2, other.stderr);
    for (const message of quoted("wrong root key")) assert.ok(other.stderr.includes(message), other.stderr);

    renameSync(key, site.rootKey);
    const server = await site.start();
    await run(check, site.variables(ADMIN, server));
    await server.stop();
  });

  // The page's `diff` compares the copy with the original. If an older backup has the same name, `cp` puts the copy
  // inside it, and `diff` reports this while the original still exists.
  it("fails if another backup has the same name", async () => {
    const [, target] = SUBSTITUTES[2]!;
    rmSync(target, { recursive: true });
    mkdirSync(join(target, "store"), { recursive: true });
    writeFileSync(join(target, "store", "coffer.db"), "of last week");
    await assert.rejects(run(copy), /coffer\.db differ/);
  });
});
