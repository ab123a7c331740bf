import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { status as Code } from "@grpc/grpc-js";
import { contractErrors } from "../../support/contract-errors.ts";
import { type LoggedEvents, isOfAgent, loggedEvents, sourceFiles } from "./log-events.ts";
import { codeBlocks, inlineCode, page, table } from "../../support/pages.ts";

const operations = page("docs/operations.md");
// docs/agent.md has the events of the agent.
const sources = sourceFiles().filter(({ path }) => !isOfAgent(path));
const code = sources.map((source) => source.code).join("\n");

describe("docs/operations.md", () => {
  // An operator who finds an event in the log looks it up here.
  it("explains every event of the log at its level, and no other", () => {
    const rows = table(operations, "Event", "Level", "What it means", "What to do");
    const documented = rows.map(
      (row) => `${firstCode(row["Event"]!)} at ${row["Level"]!.split(", ").sort().join(", ")}`,
    );
    const logged = [...loggedEvents(code).levels].map(([event, levels]) => `${event} at ${levels.join(", ")}`);
    assert.ok(logged.length > 30);
    assert.deepEqual(documented.sort(), logged.sort());
  });

  // The check above finds only events that are literals in the call of a logger. Only two loggers in front of the real one
  // write an event that is not a literal, and their callers pass that event as a literal.
  it("covers every event, because each call of a logger has its event as a literal", () => {
    assert.deepEqual(loggedEvents(code).hidden, []);
    const computed = sources.filter((source) => /\blog\w*\[/.test(source.code)).map(({ path }) => path);
    assert.deepEqual(computed, ["src/app/settled-log.ts", "src/observability/limiter.ts"]);
  });

  it("is compared with the events of every form of a call of a logger", () => {
    const sample = `log.info("one"); this.#log.warn(\n "two", { detail }); log.error(gone ? "three" : "four", {});
      logger.log({ level: "error", message: "five" }); log.warn(event, {}); log.info("six" + n);`;
    const expected: LoggedEvents = {
      levels: new Map([
        ["one", ["info"]],
        ["two", ["warn"]],
        ["three", ["error"]],
        ["four", ["error"]],
        ["five", ["error"]],
      ]),
      hidden: ["event", '"six" + n'],
    };
    assert.deepEqual(loggedEvents(sample), expected);
  });

  it("has the fields of a log line, and no other", () => {
    const named = table(operations, "Field", "What it is").flatMap((row) => codes(row["Field"]!));
    const logger = readFileSync("src/observability/logger.ts", "utf8");
    const fields = [...logger.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name!);
    assert.ok(fields.length > 20);
    assert.deepEqual(named.sort(), fields.sort());
    const [example] = codeBlocks(operations, "The log", "json");
    const { time: _, level: __, event, ...rest } = JSON.parse(example!) as Record<string, string>;
    assert.ok(loggedEvents(code).levels.has(event!), event);
    assert.deepEqual(
      Object.keys(rest).filter((name) => !fields.includes(name)),
      [],
    );
  });

  // An operator searches the page for the message of a refused start, and a row with an outdated message would mislead.
  it("quotes messages that exist in the program", () => {
    const quoted = table(operations, "Class", "Message", "Fix").flatMap((row) => codes(row["Message"]!));
    assert.ok(quoted.length > 30);
    assert.deepEqual(
      quoted.filter((message) => !code.includes(message)),
      [],
    );
    assert.equal(code.includes("is a message that does not exist"), false);
  });

  it("has every reason for which a store or a root key is refused", () => {
    const classes = table(operations, "Class", "Message", "Fix").map((row) => row["Class"]!);
    const members = [
      ...unionOf("src/persistence/store-refused.ts", "StoreRefusal"),
      ...unionOf("src/sealing/root-key.ts", "RootKeyProblem"),
    ];
    assert.equal(members.length, 16);
    // Only `coffer root-key` reports this one.
    const missing = members.filter((member) => !classes.includes(member));
    assert.deepEqual(missing, ["exists"]);
  });

  // The operator's first information is often the error that a caller got.
  it("explains codes and reasons that exist", () => {
    const rows = table(operations, "Callers get", "Look at");
    const words = rows.flatMap((row) => codes(row["Callers get"]!).filter((word) => /^[A-Z_]+$/.test(word)));
    const known = [...Object.keys(Code), ...contractErrors().map(({ reason }) => reason)];
    assert.ok(words.length > 10);
    assert.deepEqual(
      words.filter((word) => !known.includes(word)),
      [],
    );
  });
});

/** The inline code of a cell. */
function codes(cell: string): string[] {
  return inlineCode({ path: operations.path, text: cell });
}

function firstCode(cell: string): string {
  return codes(cell)[0] ?? cell;
}

/** The members of a union of string literals. */
function unionOf(file: string, name: string): string[] {
  const [, members] = new RegExp(`export type ${name} =(.*?);`, "s").exec(readFileSync(file, "utf8"))!;
  return [...members!.matchAll(/^ *\| "([^"]+)"/gm)].map(([, member]) => member!);
}
