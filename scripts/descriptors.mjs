// Makes proto/descriptors.binpb, the descriptor set that the server, the client and server reflection use. It has every
// file under proto/ with its imports, without comments. `--check` writes nothing, and fails if the file does not match
// proto/. `--land` writes proto/landed.binpb instead, the contract that `buf breaking` compares every later change
// with. Use `--land` in the commit that makes a change of the proto final, at the latest at each release.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const DESCRIPTORS = "proto/descriptors.binpb";
const LANDED = "proto/landed.binpb";
const built = execFileSync(
  "node_modules/.bin/buf",
  ["build", "proto", "--as-file-descriptor-set", "--exclude-source-info", "-o", "-#format=binpb"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
if (process.argv.includes("--check")) {
  const fresh = existsSync(DESCRIPTORS) && readFileSync(DESCRIPTORS).equals(built);
  console.log(fresh ? `${DESCRIPTORS} is up to date` : `${DESCRIPTORS} is out of date: run npm run generate`);
  process.exit(fresh ? 0 : 1);
}
writeFileSync(process.argv.includes("--land") ? LANDED : DESCRIPTORS, built);
