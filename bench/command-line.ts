// Compares the CPU time of a command in this checkout with its CPU time in another checkout, which must be built:
//
//   node dist/bench/command-line.js ../other-checkout
//
// The command of each checkout and Node with an empty program run alternately, so that a change of the machine's speed
// affects all three. Linux only.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { MAIN, type ServerProcess, Site } from "../test/support/server-process.ts";
import { childrenCpuMicros } from "./process-stat.ts";

/** Measured runs of each program. One more run comes first, because it reads the program's files from the disk. */
const RUNS = 20;

const PATH = "shop/api/db";

async function main(checkout: string): Promise<void> {
  const site = new Site();
  const server = await site.start();
  const caller = site.caller(server);
  await caller.put({ path: PATH, data: { user: "app" } });
  caller.close();
  const env = clientVariables(site, server);
  for (const words of [["get", PATH], ["--help"]]) console.log(compare(resolve(checkout), words, env));
  await site.remove();
}

function clientVariables(site: Site, { port }: ServerProcess): Record<string, string> {
  const [cert, key] = [join(site.folder, "admin.pem"), join(site.folder, "admin.key")];
  writeFileSync(cert, site.clientTls.cert);
  writeFileSync(key, site.clientTls.key, { mode: 0o600 });
  return {
    COFFER_ADDR: `127.0.0.1:${port}`,
    COFFER_SERVER_ID: "spiffe://example.org/coffer",
    COFFER_BUNDLE: join(site.folder, "bundle.pem"),
    COFFER_CERT: cert,
    COFFER_KEY: key,
  };
}

function compare(checkout: string, words: readonly string[], env: Record<string, string>): string {
  const programs = [
    [MAIN, ...words],
    [join(checkout, "dist/src/main.js"), ...words],
    ["--eval", "0"],
  ];
  const totals = [0, 0, 0];
  for (let run = 0; run <= RUNS; run++) {
    for (const [index, program] of programs.entries()) {
      const before = childrenCpuMicros();
      execFileSync(process.execPath, program, { env, stdio: "ignore" });
      if (run > 0) totals[index] = (totals[index] ?? 0) + childrenCpuMicros() - before;
    }
  }
  const [own = 0, other = 0, node = 0] = totals.map((micros) => micros / 1000 / RUNS);
  const cost = `${own.toFixed(0)} ms, other checkout ${other.toFixed(0)} ms`;
  return `${words[0]}: ${cost}, ratio ${(own / other).toFixed(2)}; bare Node: ${node.toFixed(0)} ms`;
}

const [checkout] = process.argv.slice(2);
if (checkout === undefined) {
  console.error("usage: node dist/bench/command-line.js CHECKOUT, the folder of another checkout that has been built");
  process.exit(2);
}
await main(checkout);
