// Makes the reference of coffer/client in HTML: "npm run reference" writes it into dist-reference. It fails if a doc
// comment has a broken link, or if an export has no doc comment.
//
// TypeDoc needs TypeScript's API, which TypeScript 7 does not have. It uses the TypeScript 5 on which
// @arethetypeswrong/core depends, and reads the declarations that TypeScript 7 has written.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const typescript = createRequire(require.resolve("@arethetypeswrong/core")).resolve("typescript");

const asUrl = (program) => `data:text/javascript,${encodeURIComponent(program)}`;
const resolver = `export const resolve = (name, context, next) =>
  next(name === "typescript" ? ${JSON.stringify(pathToFileURL(typescript).href)} : name, context);`;
const hook = asUrl(`import { register } from "node:module"; register(${JSON.stringify(asUrl(resolver))}, "data:");`);

const OPTIONS = {
  name: "coffer/client",
  entryPoints: ["client/index.d.ts"],
  tsconfig: "tsconfig.json",
  readme: "none",
  disableSources: true,
  excludePrivate: true,
  validation: { notDocumented: true, invalidLink: true, notExported: true },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  // Members of a union, each of which has one comment for all of its properties.
  intentionallyNotDocumented: [
    ...["kind", "problems", "id", "problem", "refusal", "expected", "got", "as", "by", "wasSent"].map(
      (property) => `ConnectionFailure.__type.${property}`,
    ),
    ...["kind", "host", "port", "path"].map((property) => `Address.__type.${property}`),
  ],
};

/** Declarations with their comments, and ".js" in their imports. */
function declare(folder) {
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.declarations.json", "--outDir", folder], { stdio: "inherit" });
  for (const file of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, "utf8").replace(/"(\.{1,2}\/[^"]+)\.ts"/g, '"$1.js"'));
  }
}

const out = resolve(process.argv[2] ?? "dist-reference");
const folder = mkdtempSync(join(tmpdir(), "coffer-reference-"));
try {
  declare(folder);
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const compilerOptions = {
    module: "nodenext",
    target: "es2022",
    lib: ["es2023", "esnext.disposable"],
    strict: true,
    types: ["node"],
    skipLibCheck: true,
  };
  writeFileSync(join(folder, "package.json"), '{ "name": "coffer", "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["client/index.d.ts"] }));
  writeFileSync(join(folder, "typedoc.json"), JSON.stringify({ ...OPTIONS, out }));
  const typedoc = resolve("node_modules/typedoc/bin/typedoc");
  const words = ["--import", hook, typedoc, "--options", join(folder, "typedoc.json")];
  process.exitCode = spawnSync(process.execPath, words, { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
