// Builds the files of a release from the commit that is checked out: "npm run artifacts [-- FOLDER]". The folder,
// by default dist-release, is deleted first. It then contains:
//
//   coffer-VERSION.tgz                the package, as npm installs it
//   coffer-VERSION.cdx.json           its dependencies: a software bill of materials in CycloneDX 1.5
//   coffer-VERSION.descriptors.binpb  the proto: a FileDescriptorSet of coffer.v1 and its imports
//   coffer-VERSION.notes.md           this version's section of the changelog
//   SHA256SUMS                        checksums of the files above: sha256sum -c SHA256SUMS
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { sectionOf } from "./changelog.mjs";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

const manifest = readJson("package.json");
const { name, version, bin } = manifest;
const folder = resolve(process.argv[2] ?? "dist-release");
const file = (ending) => join(folder, `${name}-${version}.${ending}`);

const npm = (...words) => execFileSync("npm", words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** Makes the package. Throws if a program is missing, or if the package contains tests. */
function pack() {
  npm("run", "--silent", "package", "--", folder);
  const paths = execFileSync("tar", ["-tzf", file("tgz")], { encoding: "utf8" }).split("\n");
  const missing = Object.values(bin).filter((program) => !paths.includes(`package/${program}`));
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(", ")}`);
  const tests = paths.filter((path) => /^package\/(?!node_modules\/)(.*\/)?((test|bench)\/|[^/]*\.test\.)/.test(path));
  if (tests.length > 0) throw new Error(`the package has ${tests.length} test files, such as ${tests[0]}`);
}

/**
 * Writes the bill of materials. It is generated from the lock file, so it does not depend on what is installed. The
 * option `--omit=dev` of `npm sbom` (npm 11.19) also omits packages that both the program and a development tool depend
 * on. Therefore npm reads a manifest and a lock file without the development tools. The folder has the program's name,
 * because npm writes the name of the folder into the bill.
 */
function describeDependencies() {
  const parent = mkdtempSync(join(tmpdir(), "coffer-sbom-"));
  const program = join(parent, name);
  mkdirSync(program);
  try {
    writeJson(join(program, "package.json"), withoutTools(manifest));
    writeJson(join(program, "package-lock.json"), lockWithoutTools(readJson("package-lock.json")));
    const words = ["--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
    writeJson(file("cdx.json"), JSON.parse(npm("sbom", "--prefix", program, ...words)));
  } finally {
    rmSync(parent, { recursive: true });
  }
}

const withoutTools = ({ devDependencies, ...rest }) => rest;

function lockWithoutTools(lock) {
  const { "": root, ...packages } = lock.packages;
  const kept = Object.entries(packages).filter(
    ([, { dev, devOptional, optional }]) => !dev && (!devOptional || optional),
  );
  return { ...lock, packages: { "": withoutTools(root), ...Object.fromEntries(kept) } };
}

function checksum(path) {
  return createHash("sha256")
    .update(readFileSync(join(folder, path)))
    .digest("hex");
}

const notes = sectionOf(readFileSync("CHANGELOG.md", "utf8"), version);
if (notes === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
pack();
describeDependencies();
copyFileSync("proto/descriptors.binpb", file("descriptors.binpb"));
writeFileSync(file("notes.md"), `${notes}\n`);
const sums = readdirSync(folder)
  .sort()
  .map((path) => `${checksum(path)}  ${path}\n`);
writeFileSync(join(folder, "SHA256SUMS"), sums.join(""));
