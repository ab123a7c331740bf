import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { otherNodes } from "./other-nodes.ts";
import { ROWS, verdicts } from "./verdicts.ts";

const PROGRAM = fileURLToPath(new URL("./print-verdicts.js", import.meta.url));

async function verdictsOf(node: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(node, [PROGRAM], { maxBuffer: 1 << 20 });
  return stdout.split("\n");
}

// Each process creates its own chains: keys and serial numbers do not matter. Each Node release has its own OpenSSL,
// which refuses some peers before the verifier sees them.
describe("the verdicts of the verifier on all chains of the tables, directly and over TLS,", () => {
  const others = otherNodes();
  if (others.length === 0) it("are the same on other releases of Node", { skip: "needs COFFER_TEST_NODES or --long" });
  for (const node of others) {
    if (node.kind === "missing") it(`are the same on ${node.name}`, { skip: node.why });
    else {
      it(`are the same on ${node.name}`, async () => {
        const [here, there] = [await verdicts(), await verdictsOf(node.path)];
        assert.equal(there.length, ROWS.length);
        assert.deepEqual(
          there.filter((verdict, row) => verdict !== here[row]),
          [],
        );
      });
    }
  }
});
