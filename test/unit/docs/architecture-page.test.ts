import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path/posix";
import { describe, it } from "node:test";
import { page, table } from "../../support/pages.ts";

const architecture = page("docs/architecture.md");

/** A room as the page has it. */
interface Room {
  readonly floor: number;
  readonly packages: readonly string[];
  /** The rooms that it may import; undefined: all on the floors below. */
  readonly only: readonly string[] | undefined;
}

const rooms = new Map(
  table(architecture, "Floor", "Room", "What it is", "Packages", "May import").map((row): [string, Room] => [
    unquoted(row["Room"]!),
    {
      floor: Number(row["Floor"]),
      packages: listed(row["Packages"]!).sort(),
      only: row["May import"] === "floors below" ? undefined : listed(row["May import"]!),
    },
  ]),
);

function unquoted(text: string): string {
  return text.replaceAll("`", "");
}

function listed(cell: string): string[] {
  return cell === "" ? [] : unquoted(cell).split(", ");
}

/** What the files of a room import from outside of it: rooms, and packages. */
function importsOf(room: string): string[] {
  const files = room.endsWith(".ts")
    ? [join("src", room)]
    : readdirSync(join("src", room), { recursive: true, encoding: "utf8" }).map((name) => join("src", room, name));
  const targets = files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/(?:\bfrom|\bimport\()\s*"([^"]+)"/g)].map(([, to]) =>
        to!.startsWith(".") ? join(dirname(file), to!).split("/")[1]! : to!,
      ),
    );
  return [...new Set(targets)].filter((target) => !target.startsWith("node:") && target !== room).sort();
}

describe("docs/architecture.md", () => {
  it("has every room of src", () => {
    assert.deepEqual([...rooms.keys()].sort(), readdirSync("src").sort());
  });

  it("allows what the rooms import, and names their packages exactly", () => {
    for (const [name, { floor, packages, only }] of rooms) {
      const imports = importsOf(name);
      const mayImport = (other: string) => only?.includes(other) ?? rooms.get(other)!.floor < floor;
      assert.deepEqual(
        imports.filter((target) => !rooms.has(target)),
        packages,
        name,
      );
      assert.deepEqual(
        imports.filter((target) => rooms.has(target) && !mayImport(target)),
        [],
        name,
      );
    }
    assert.ok(importsOf("app").length > 10, "imports are seen");
  });

  it("lists every decision, in order, by its title", () => {
    const listed = [...architecture.text.matchAll(/^\d+\. \[(.*)\]\(decisions\/(.*)\)$/gm)];
    const files = readdirSync("docs/decisions").sort();
    assert.deepEqual(
      listed.map(([, , file]) => file),
      files,
    );
    for (const [, title, file] of listed) {
      const number = basename(file!).slice(0, 4);
      assert.equal(page(join("docs/decisions", file!)).text.split("\n")[0], `# ${number}: ${title}`);
    }
  });
});

describe("the decisions", () => {
  it("say when, in what situation, what and with what consequences", () => {
    for (const file of readdirSync("docs/decisions")) {
      const { text } = page(join("docs/decisions", file));
      assert.match(text, /^# \d{4}: .+\n\n\d{4}-\d\d-\d\d, accepted/, file);
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!);
      const wanted = ["Context", "Decision", "Consequences"];
      assert.deepEqual(
        headings.filter((heading) => wanted.includes(heading)),
        wanted,
        file,
      );
    }
  });

  it("give a reason for every package, and for no other", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as Packages;
    const rows = table(page("docs/decisions/0008-dependencies.md"), "Package", "Why", "What would replace it");
    assert.deepEqual(
      rows.map((row) => unquoted(row["Package"]!)).sort(),
      [...Object.keys(dependencies), ...Object.keys(devDependencies)].sort(),
    );
  });
});

interface Packages {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
