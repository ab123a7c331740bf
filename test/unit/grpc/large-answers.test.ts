import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_ANSWER_BYTES } from "../../../src/contract/limits.ts";
import * as wire from "../../../src/contract/messages.ts";
import { entry } from "../../support/field-rows.ts";
import { ServiceKit } from "../../support/service-kit.ts";

async function responseOf<T>(kit: ServiceKit, call: Parameters<ServiceKit["call"]>[0], fields: object): Promise<T> {
  const outcome = await kit.call(call, fields);
  assert.ok(outcome.kind === "response", JSON.stringify(outcome));
  return outcome.response;
}

/** What an entry of a BatchGet has: its content, or the reason of its error. */
function kindOf({ result }: wire.BatchGetEntry): string {
  return result?.kind === "error" ? result.value.reason : "content";
}

// gRPC clients receive 4 MiB by default. An answer above that would be an error that no repetition can avoid.
describe("an answer of BatchGet", () => {
  const PATHS = Array.from({ length: 256 }, (_, i) => `a/${String(i).padStart(505, "0")}`);

  it("has as much content as fits in 4 MiB, and errors for the rest", async () => {
    const kit = await ServiceKit.open();
    for (const path of PATHS) await kit.call("Put", { path, binaryData: [entry("k", Buffer.alloc(20_000, 1))] });
    const response = await responseOf<wire.BatchGetResponse>(kit, "BatchGet", { paths: PATHS });
    const kinds = response.entries.map(kindOf);
    const count = kinds.indexOf("ANSWER_TOO_LARGE");
    assert.ok(count > 170 && count < 190, String(count));
    assert.deepEqual(new Set(kinds.slice(count)), new Set(["ANSWER_TOO_LARGE"]));
    assert.ok(wire.batchGetResponse.encode(response).length <= MAX_ANSWER_BYTES);

    // The rest fits in the next call.
    const rest = await responseOf<wire.BatchGetResponse>(kit, "BatchGet", { paths: PATHS.slice(count) });
    assert.deepEqual(new Set(rest.entries.map(kindOf)), new Set(["content"]));
  });

  // The first content always fits, with the largest content that a server can be configured for, and with the most and
  // longest errors beside it. Otherwise a caller could never read that secret.
  it("has the first content, however large it is, beside the longest errors", async () => {
    const kit = await ServiceKit.open({ maxContentBytes: 3 * 1024 * 1024 });
    const keys = Array.from({ length: 4096 }, (_, i) => `key${String(i).padStart(4, "0")}`);
    const values = keys.map((key) => entry(key, Buffer.alloc(750, 1)));
    assert.equal((await kit.call("Put", { path: "big", binaryData: values })).kind, "response");
    const paths = ["big", ...PATHS.slice(0, 255)];
    const response = await responseOf<wire.BatchGetResponse>(kit, "BatchGet", { paths });
    assert.deepEqual(response.entries.map(kindOf), ["content", ...paths.slice(1).map(() => "SECRET_NOT_FOUND")]);
    assert.ok(wire.batchGetResponse.encode(response).length <= MAX_ANSWER_BYTES);
  });
});

describe("a page of List", () => {
  it("ends before its answer exceeds 4 MiB, and the pages have all secrets once", async () => {
    const kit = await ServiceKit.open();
    const labels = Array.from({ length: 64 }, (_, i) => [`${"d".repeat(253)}/${"n".repeat(60)}${i}`, "v".repeat(63)]);
    const paths = Array.from({ length: 300 }, (_, i) => `a/${String(i).padStart(3, "0")}`);
    for (const path of paths) {
      await kit.call("Put", { path, data: [entry("k", "v")] });
      await kit.call("Metadata", { path, labels });
    }
    for (const path of ["a/0/x", "a/100/x", "a/999/x"]) await kit.call("Put", { path, data: [entry("k", "v")] });
    const found: string[] = [];
    let pageToken = "";
    let pages = 0;
    do {
      const request = { prefix: "a/", pageSize: 1000, pageToken, delimiter: "/" };
      const page = await responseOf<wire.ListResponse>(kit, "List", request);
      assert.ok(wire.listResponse.encode(page).length <= MAX_ANSWER_BYTES);
      found.push(...[...page.entries.map(({ path }) => path), ...page.prefixes].sort());
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== "");
    assert.deepEqual(found, [...paths, "a/0/", "a/100/", "a/999/"].sort());
    assert.equal(pages, 2);
  });

  // A token can contain a folder. The next page then begins after all paths in it.
  it("continues after a folder, one entry or folder on each page", async () => {
    const kit = await ServiceKit.open();
    const paths = ["a", "a/b", "a/b/c", "a/b0", "b/x/y", "b/x/z", "b/y", "c"];
    for (const path of paths) await kit.call("Put", { path, data: [entry("k", "v")] });
    const pagesOf = async (prefix: string) => {
      const found: string[] = [];
      let pageToken = "";
      do {
        const request = { prefix, pageSize: 1, pageToken, delimiter: "/" };
        const page = await responseOf<wire.ListResponse>(kit, "List", request);
        assert.equal(page.entries.length + page.prefixes.length, 1);
        found.push(...page.entries.map(({ path }) => path), ...page.prefixes);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return found;
    };
    assert.deepEqual(await pagesOf(""), ["a", "a/", "b/", "c"]);
    assert.deepEqual(await pagesOf("a/"), ["a/b", "a/b/", "a/b0"]);
    assert.deepEqual(await pagesOf("b/"), ["b/x/", "b/y"]);
  });
});
