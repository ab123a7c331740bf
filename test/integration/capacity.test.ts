import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { after, describe, it } from "node:test";
import { descriptorWarning } from "../../src/process/descriptor-limit.ts";
import { mostKeys } from "../../src/process/locked-memory.ts";
import { fetchOps } from "../support/fetch-ops.ts";
import { ADMIN, ServerKit } from "../support/server-kit.ts";
import { Site } from "../support/server-process.ts";
import { page } from "../support/pages.ts";
import { until } from "../support/until.ts";

const operations = page("docs/operations.md");

describe("the figures of docs/operations.md", () => {
  const path = "shop/team-00/secret-0000000";

  /** The counted bytes of the store, except those of the author, with one version of the page's example and with ten. */
  async function countedWith(threads: number): Promise<readonly [one: number, ten: number]> {
    const kit = await ServerKit.start({ threads });
    const admin = kit.caller(ADMIN);
    const put = async () => {
      assert.equal((await admin.put({ path, data: { password: "v".repeat(256) } })).code, "OK");
      const body = await (await fetchOps(`${kit.opsUrl}/metrics`)).text();
      return Number(/^coffer_store_bytes (\d+)$/m.exec(body)![1]) - copies(threads) * (100 + ADMIN.length);
    };
    const one = await put();
    for (let version = 2; version <= 11; version++) await put();
    const ten = await put();
    admin.close();
    await kit.stop();
    return [one, ten];
  }

  const copies = (threads: number) => (threads > 1 ? threads + 1 : 1);

  // Operators size a container with this formula and this example.
  it("match coffer_store_bytes for one secret", async () => {
    const example = /27 bytes, .* 256 bytes counts as ([\d,]+) bytes with one version, and as ([\d,]+) bytes with ten/;
    const [, ...documented] = example.exec(operations.text.replaceAll("\n", " "))!;
    const [one, ten] = await countedWith(1);
    assert.deepEqual(
      documented,
      [one, ten].map((bytes) => bytes.toLocaleString("en")),
    );
    assert.equal(one, 190 + path.length + 251 + 6 + "password".length + 256);
  });

  it("match coffer_store_bytes with several threads", async () => {
    const [, each, ofVersion] = /for each secret, the (\d+) and its path; for each version, (\d+) of the 251/
      .exec(operations.text)!
      .map(Number);
    const [single, several] = [await countedWith(1), await countedWith(3)];
    for (const [i, versions] of [1, 10].entries()) {
      const copied = each! + path.length + versions * ofVersion!;
      assert.equal(several[i]! - single[i]!, (copies(3) - 1) * copied);
    }
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

describe("the process resources of docs/operations.md", {
  skip: existsSync("/proc/self/fd") ? false : "no /proc",
}, () => {
  const site = new Site();
  after(() => site.remove());

  // The test counts sockets, because the files that the server watches are open only briefly.
  for (const threads of [1, 3]) {
    it(`are fewer than ${limitOf(threads)} descriptors, and one for each connection, with --threads ${threads}`, async () => {
      const server = await site.start({ flags: ["--threads", String(threads)] });
      const sockets = () => descriptorsOf(server.pid).filter((target) => target.startsWith("socket:")).length;
      const callers = Array.from({ length: 20 }, () => site.caller(server));
      const idle = descriptorsOf(server.pid).length;
      assert.ok(idle < limitOf(threads), `${idle} descriptors without a connection`);
      const before = sockets();
      for (const caller of callers) assert.equal((await caller.list({})).code, "OK");
      await until("only one descriptor is open for each", () => sockets() === before + callers.length);
      for (const caller of callers) caller.close();
      await server.stop();
    });

    // The warning of the start compares RLIMIT_MEMLOCK with this number of pages.
    const skip = process.arch === "x64" ? false : "the size of a page differs";
    it(`are at most ${mostKeys(threads)} locked pages, those of the keys, with --threads ${threads}`, {
      skip,
    }, async (t) => {
      const server = await site.start({ flags: ["--threads", String(threads)] });
      const locked = /^VmLck:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "latin1"))?.[1];
      await server.stop();
      if (locked === "0") return t.skip("this process may not lock memory");
      assert.ok(Number(locked) >= 4 * threads && Number(locked) <= 4 * mostKeys(threads), `${locked} kB`);
    });
  }
});

/** The documented number of descriptors without connections. */
function limitOf(threads: number): number {
  return 40 + (threads > 1 ? 8 * threads : 0);
}

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
