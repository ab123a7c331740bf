// Makes proto/descriptors.binpb, the one descriptor set from which the server, the client and server reflection work:
// every file under proto/ and what it imports, with comments left out. `--check` only compares. `--land` writes
// proto/landed.binpb instead, the contract that `buf breaking` holds every later change against: run it in the commit
// that lands a change of the proto for good, which is each release at the latest.
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
  console.log(fresh ? `${DESCRIPTORS} is fresh` : `${DESCRIPTORS} is stale: run npm run generate`);
  process.exit(fresh ? 0 : 1);
}
writeFileSync(process.argv.includes("--land") ? LANDED : DESCRIPTORS, built);
