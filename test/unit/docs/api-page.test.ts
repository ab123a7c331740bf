import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as limits from "../../../src/contract/limits.ts";
import { contractErrors } from "../../support/contract-errors.ts";
import { page, table } from "../../support/pages.ts";

const api = page("docs/api.md");
const proto = readFileSync("proto/coffer/v1/coffer.proto", "utf8");

/** The methods of the service, with the action that the comment above each method names. */
const methods = [...proto.matchAll(/((?:^ {2}\/\/.*\n)+) {2}rpc (\w+)\(.*?(;|\{[\s\S]*?\n {2}\})/gm)].map(
  ([, comment, name, body]) => ({
    name: name as string,
    action: /Actions?: ([^.]+)\./.exec((comment as string).replaceAll(/\n {2}\/\/ /g, " "))?.[1],
    isRepeatable: /NO_SIDE_EFFECTS|can always be repeated/.test(`${body}${comment}`),
  }),
);

describe("docs/api.md", () => {
  it("has the methods of the service, their actions, and which may be repeated", () => {
    assert.equal(methods.length, 16);
    const rows = table(api, "Method", "Action", "Repeatable", "What it does");
    assert.deepEqual(
      rows.map((row) => [row["Method"], row["Action"], row["Repeatable"]]),
      methods.map(({ name, action, isRepeatable }) => [
        `\`${name}\``,
        action,
        isRepeatable ? "yes" : "with `request_id`",
      ]),
    );
  });

  it("has the errors of the contract, in its order", () => {
    const rows = table(api, "Code", "Reason", "Metadata", "When", "Applied");
    assert.deepEqual(
      rows.map(({ Code: code, Reason: reason, Applied: applied }) => ({ code, reason, applied })),
      contractErrors(),
    );
  });

  // The third column of the contract's table has the metadata of an error. It can continue on the next line.
  it("has the metadata of each error", () => {
    for (const { Reason: reason, Metadata: metadata } of table(api, "Code", "Reason", "Metadata", "When", "Applied")) {
      const [lines = ""] = new RegExp(`^//   [A-Z_]+ +${reason} .*\n(?://  {20}.*\n)*`, "m").exec(proto) ?? [];
      const columns = lines.split("\n").map((line) => line.slice(44, 62));
      const names = columns.join(" ").match(/[a-z_]+/g) ?? [];
      assert.deepEqual(
        (metadata ?? "").split(", ").filter((name) => name !== ""),
        names,
        reason,
      );
    }
  });

  it("has every limit of the contract", () => {
    const shown = table(api, "Limit", "Value")
      .map((row) => row["Value"])
      .join(" | ");
    const numbers = shown.replaceAll(",", "").match(/\d+/g)?.map(Number) ?? [];
    // Callers do not need the length of a page token: tokens are opaque, and all have the same length.
    const { MAX_PAGE_TOKEN_BYTES: _, ...published } = limits;
    assert.ok(Object.keys(published).length > 8);
    for (const [name, limit] of Object.entries(published)) assert.ok(numbers.includes(limit), `${name}: ${limit}`);
  });
});

describe("docs/clients-typescript.md", () => {
  const source = ["client-options", "call-options", "watch-options", "cache-options"]
    .map((name) => readFileSync(`src/client/${name}.ts`, "utf8"))
    .join("\n");
  const optionsOf = (name: string) => {
    const [, body = ""] =
      new RegExp(`export interface ${name}(?: extends [^{]*)? \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option]) => `\`${option}\``);
  };
  const client = page("docs/clients-typescript.md");

  it("has each option of the client and of a call", () => {
    const options = table(client, "Option", "Unit", "Default", "Meaning, and why this default").map(
      (row) => row["Option"],
    );
    assert.deepEqual(options, optionsOf("ClientOptions"));
    assert.ok(options.length > 5);
    const ofCalls = table(client, "Call option", "Unit", "Default", "Meaning").map((row) => row["Call option"]);
    assert.deepEqual(ofCalls, optionsOf("CallOptions"));
  });

  it("has each option and event of a watch, and each option and member of a cache", () => {
    const cells = (column: string, ...others: readonly string[]) =>
      table(client, column, ...others).flatMap((row) => (row[column] ?? "").split(", "));
    assert.deepEqual(cells("Watch option", "Default", "Meaning"), optionsOf("WatchOptions"));
    const events = readFileSync("src/client/secret-events.ts", "utf8");
    const kinds = [...events.matchAll(/^ {2}readonly kind: "(\w+)";/gm)].map(([, kind]) => `\`${kind}\``);
    assert.deepEqual(cells("Event", "Meaning"), kinds);
    assert.ok(kinds.length > 4);
    const inherited = ["`paths`", "`prefixes`", "`instance`"];
    assert.deepEqual(cells("Cache option", "Default", "Meaning"), [...inherited, ...optionsOf("SecretCacheOptions")]);
    const [, body = ""] =
      /export class SecretCache \{([\s\S]*)/.exec(readFileSync("src/client/secret-cache.ts", "utf8")) ?? [];
    const members = [
      ...body.matchAll(/^ {2}(?:readonly |get |async )?([a-z]\w*)(?:: Promise<void>;|\(.*\): .* \{)$/gm),
    ];
    const names = (list: readonly (string | undefined)[]) =>
      list.map((text) => (text ?? "").replace(/\W.*/, "")).sort();
    const documented = cells("Member", "Meaning").map((text) => text.replace(/`/g, ""));
    assert.deepEqual(names(documented), names(members.map(([, name]) => name)));
  });

  it("has the properties of an error", () => {
    const names = table(client, "Property", "Meaning").map((row) => row["Property"]);
    const error = readFileSync("src/client/client-error.ts", "utf8").split("constructor")[0] as string;
    const properties = [...error.matchAll(/^ {2}readonly (\w+):/gm)].map(([, name]) => `\`${name}\``);
    assert.deepEqual([...properties, "`cause`"].sort(), [...names].sort());
  });
});
