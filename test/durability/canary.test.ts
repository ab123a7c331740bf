import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { type ServerProcess, Site } from "../support/server-process.ts";

const site = new Site();
after(() => site.remove());

/** Values that do not occur by chance: a text, and bytes that are not UTF-8. */
interface Canary {
  readonly text: string;
  readonly bytes: Buffer;
}

const PATH = "canaries/path-in-clear";

const canaries: Canary[] = Array.from({ length: 14 }, (_, i) => ({
  text: `canary-${i}-${randomBytes(12).toString("hex")}`,
  bytes: Buffer.concat([Buffer.from([0xff, 0xfe, 0x00]), randomBytes(24)]),
}));

/** The canaries in all encodings in which a program could write them by mistake. */
const forms = canaries.flatMap(({ text, bytes }) =>
  [Buffer.from(text), bytes].flatMap((value) => [
    value,
    value.subarray(4, 20),
    Buffer.from(value.toString("base64").slice(0, 20)),
    Buffer.from(value.toString("hex").slice(0, 32)),
    Buffer.from(value.toString("latin1"), "utf16le"),
  ]),
);

/** The files below the data folder that contain one of the needles. */
function filesWith(needles: readonly Buffer[]): string[] {
  const files = readdirSync(site.data, { recursive: true, encoding: "utf8" })
    .map((name) => join(site.data, name))
    .filter((path) => statSync(path).isFile());
  return files.filter((path) => {
    const bytes = readFileSync(path);
    return needles.some((needle) => bytes.includes(needle));
  });
}

/** Puts all canaries, so that the first are pruned, and deletes some of the others. */
async function write(server: ServerProcess): Promise<void> {
  const caller = site.caller(server);
  for (const { text, bytes } of canaries) {
    const { code } = await caller.put({ path: PATH, data: { text }, binary_data: { bytes } });
    assert.equal(code, "OK");
  }
  assert.equal((await caller.delete({ path: PATH, versions: [7, 8, 14] })).code, "OK");
  const { response } = await caller.get({ path: PATH, version: 13 });
  assert.equal(response.data.text, canaries[12]!.text);
  assert.deepEqual(response.binary_data.bytes, canaries[12]!.bytes);
  caller.close();
}

// No file in the data folder contains a value in plain text, and neither does the server's log. The test searches the
// write-ahead log after a kill and the database after a restart, for live, deleted and pruned versions. The control:
// the same search finds the path, which is stored in plain text.
test("no value is on the disk in plain text", async () => {
  const first = await site.start({ flags: ["--log-level", "debug"] });
  await write(first);
  await first.kill();
  const log = join(site.data, "store", "coffer.db-wal");
  assert.deepEqual(filesWith([Buffer.from(PATH)]), [log]);
  assert.deepEqual(filesWith(forms), []);
  const second = await site.start({ flags: ["--log-level", "debug"] });
  assert.deepEqual(await second.stop(), { code: 0, signal: null });
  assert.deepEqual(filesWith([Buffer.from(PATH)]), [join(site.data, "store", "coffer.db")]);
  assert.deepEqual(filesWith(forms), []);
  for (const { stderr } of [first, second]) {
    for (const form of forms) assert.equal(Buffer.from(stderr).includes(form), false, "a value is in the server's log");
  }
});
