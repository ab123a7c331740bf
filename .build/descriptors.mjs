// Makes proto/descriptors.binpb, the one descriptor set from which the server, the client and server reflection work:
// every file under proto/ and what it imports, with comments left out. `--check` only compares.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const target = "proto/descriptors.binpb";
const built = execFileSync(
  "node_modules/.bin/buf",
  ["build", "proto", "--as-file-descriptor-set", "--exclude-source-info", "-o", "-#format=binpb"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
if (process.argv.includes("--check")) {
  const fresh = existsSync(target) && readFileSync(target).equals(built);
  console.log(fresh ? `${target} is fresh` : `${target} is stale: run npm run generate`);
  process.exit(fresh ? 0 : 1);
}
writeFileSync(target, built);
