import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runToEnd } from "../../support/cli-kit.ts";

const MODULE = new URL("../../../src/process/freed-memory.js", import.meta.url).href;

/** Frees a block of the C library that is filled with "A", and prints the result of the call and a byte of the block. */
const PROGRAM = `
  const { overwriteFreedMemory } = await import(${JSON.stringify(MODULE)});
  const failure = await overwriteFreedMemory({ env: process.env, platform: process.argv[1] });
  const SIZE = 100_000; // glibc keeps it on the heap, and reuses it from its start
  const { load, decode } = await import("koffi");
  const library = load(null);
  const malloc = library.func("void *malloc(size_t size)");
  const free = library.func("void free(void *block)");
  const [block, next] = [malloc(SIZE), malloc(SIZE)];
  library.func("void *memset(void *block, int byte, size_t size)")(block, 0x41, SIZE);
  free(block);
  process.stdout.write(JSON.stringify([failure ?? null, decode(block, SIZE - 1000, "uint8_t")]));
  free(next);`;

async function freedByte(env: Readonly<Record<string, string>>, platform = "linux"): Promise<unknown> {
  const { code, stdout, stderr } = await runToEnd(
    process.execPath,
    ["--input-type=module", "--eval", PROGRAM, platform],
    { env },
  );
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout.toString());
}

// These tests need glibc, like the tests that search the memory of a server.
describe("overwriteFreedMemory", () => {
  it("makes the C library overwrite a block that is freed", async () => {
    assert.deepEqual(await freedByte({}), [null, 0xff]);
    assert.deepEqual(await freedByte({ GLIBC_TUNABLES: "glibc.malloc.tcache_count=1" }), [null, 0xff]);
  });

  it("keeps the byte that an operator has chosen, and overwrites nothing if the operator has chosen 0", async () => {
    assert.deepEqual(await freedByte({ GLIBC_TUNABLES: "glibc.malloc.perturb=7" }), [null, 7]);
    assert.deepEqual(await freedByte({ GLIBC_TUNABLES: "a.b.c=1:glibc.malloc.perturb=0" }), [null, 0x41]);
  });

  it("does nothing on another platform", async () => {
    assert.deepEqual(await freedByte({}, "darwin"), [null, 0x41]);
  });

  it("reports that koffi can't be loaded", async () => {
    const script = `const { overwriteFreedMemory } = await import(${JSON.stringify(MODULE)});
      console.log(await overwriteFreedMemory({ env: {}, platform: "linux" }));`;
    const { stdout } = await runToEnd(process.execPath, ["--no-addons", "--input-type=module", "--eval", script], {
      env: {},
    });
    assert.match(stdout.toString(), /^can't load koffi \(/);
  });
});
