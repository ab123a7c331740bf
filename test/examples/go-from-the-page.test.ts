import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { codeBlocks, page } from "../support/pages.ts";
import { reasonToSkip } from "../support/programs.ts";
import { missing } from "./build.ts";
import { Site } from "./site.ts";

const clients = page("docs/clients.md");
const skip = reasonToSkip() || missing({ needs: ["go version"] });

// These are the steps of a reader who has only the page and Coffer's package.
describe("a Go program built only from docs/clients.md", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-go-"));
  let site: Site;
  before(async () => {
    // The layout that npm creates: the proto is in Coffer's package, and buf is a package too.
    mkdirSync(join(folder, "node_modules"));
    for (const name of [".bin", "@bufbuild"])
      symlinkSync(resolve("node_modules", name), join(folder, "node_modules", name));
    symlinkSync(resolve("."), join(folder, "node_modules/coffer"));
    site = await Site.start();
  });
  after(async () => {
    await site?.end();
    rmSync(folder, { recursive: true });
  });

  it("is built in an empty folder, and runs", async () => {
    writeFileSync(join(folder, "main.go"), ["package main\n", ...codeBlocks(clients, "Go", "go")].join("\n"));
    writeFileSync(join(folder, "buf.gen.yaml"), codeBlocks(clients, "Go", "yaml")[0]!);
    writeFileSync(join(folder, "service-config.json"), codeBlocks(clients, "Retries", "json")[0]!);
    const commands = codeBlocks(clients, "Go", "sh")[2]!;
    const { status, stderr } = spawnSync("nice", ["-n", "10", "sh", "-ec", commands], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    const example = site.run({ root: folder, command: "out/coffer-example" }, site.variables());
    await example.prints("get", 2);
    assert.deepEqual(example.lines.slice(0, 2), ["put shop/api/db", "error NotFound SECRET_NOT_FOUND"]);
    await example.stop();
  });
});
