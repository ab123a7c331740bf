import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { after, describe, it } from "node:test";
import { descriptorWarning } from "../../src/process/descriptor-limit.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { page } from "../support/pages.ts";

const operations = page("docs/operations.md");

describe("the figures of docs/operations.md", () => {
  // Operators size a container with this formula and this example.
  it("match coffer_store_bytes for one secret", async (t) => {
    const kit = await ServerKit.start();
    t.after(() => kit.stop());
    const admin = kit.caller(ADMIN);
    const path = "shop/team-00/secret-0000000";
    const put = () => admin.put({ path, data: { password: "v".repeat(256) } });
    const counted = async () => {
      const body = await (await fetch(`${kit.opsUrl}/metrics`)).text();
      return Number(/^coffer_store_bytes (\d+)$/m.exec(body)![1]);
    };

    assert.equal((await put()).code, "OK");
    const author = 100 + ADMIN.length;
    const one = (await counted()) - author;
    for (let version = 2; version <= 12; version++) assert.equal((await put()).code, "OK");
    const ten = (await counted()) - author;
    admin.close();

    const example = /27 bytes, .* 256 bytes counts as ([\d,]+) bytes with one version, and as ([\d,]+) bytes with ten/;
    const [, ...documented] = example.exec(operations.text.replaceAll("\n", " "))!;
    assert.deepEqual(
      documented,
      [one, ten].map((bytes) => bytes.toLocaleString("en")),
    );
    assert.equal(one, 150 + path.length + 236 + 6 + "password".length + 256);
  });
});

// A server with the documented limit starts without a warning; one descriptor less causes the warning.
it("the descriptors that docs/operations.md requires are enough for a start without a warning", () => {
  const [, more] = /`--max-connections` plus (\d+)/.exec(operations.text)!;
  const warning = (limit: number) =>
    descriptorWarning({ read: () => `Max open files  ${limit}  ${limit}  files\n`, write: () => {} }, 100, 1);
  assert.equal(warning(100 + Number(more)), undefined);
  assert.match(warning(99 + Number(more))!, /the limit on open files/);
});

describe("the descriptors of docs/operations.md", { skip: existsSync("/proc/self/fd") ? false : "no /proc" }, () => {
  const site = new Site();
  after(() => site.remove());

  // The test counts sockets, because the files that the server watches are open only briefly.
  it("are fewer than forty without connections, and one more for each connection", async () => {
    const server = await site.start();
    const sockets = () => descriptorsOf(server.pid).filter((target) => target.startsWith("socket:")).length;
    const idle = descriptorsOf(server.pid).length;
    assert.ok(idle < 40, `${idle} descriptors without a connection`);
    const before = sockets();
    const callers = Array.from({ length: 20 }, () => site.caller(server));
    for (const caller of callers) assert.equal((await caller.list({})).code, "OK");
    assert.equal(sockets(), before + callers.length);
    for (const caller of callers) caller.close();
  });
});

/** The targets of a process's descriptors. */
function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
    } catch {
      return "closed";
    }
  });
}
