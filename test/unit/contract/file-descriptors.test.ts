import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { descriptorSet, loadContract } from "../../../src/contract/descriptors.ts";
import { fileDescriptors, setOf } from "../../../src/contract/file-descriptors.ts";

const files = fileDescriptors(descriptorSet());

describe("a descriptor set", () => {
  it("is the same after it was divided into files", () => {
    assert.ok(files.length > 5);
    assert.deepEqual(setOf(files), descriptorSet());
  });

  // A server loads only the files of the services that grpc-js answers, because loading takes a part of its start.
  it("can be loaded in part, with what the whole set has of these files", () => {
    const whole = loadContract();
    const part = loadContract(files.filter(({ name }) => name.startsWith("grpc/")));
    const names = Object.keys(whole).filter((name) => name.startsWith("grpc."));
    assert.deepEqual(Object.keys(part).sort(), names.sort());
    const paths = (contract: typeof whole, name: string) =>
      Object.values(contract[name] ?? {}).map((method: unknown) => (method as { path?: string } | undefined)?.path);
    for (const name of names) assert.deepEqual(paths(part, name), paths(whole, name), name);
  });
});
