import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TargetConfig } from "../../../src/agent/agent-config.ts";
import { readAgentConfig } from "../../../src/agent/config-file.ts";
import { placeProblem } from "../../../src/agent/suitable-place.ts";

const EXT4 = 0xef53;
const TMPFS = 0x01021994;

function target(text: string): TargetConfig {
  const file = `targets: [{name: t, ${text}}]`;
  return readAgentConfig("agent.yaml", () => Buffer.from(file)).targets[0]!;
}

const FILE = "file: /nowhere-18/deep/key, secret: a, key: k";

describe("the place of a target", () => {
  // It looks at the nearest folder that exists, because the agent creates the others.
  it("has to be on a file system in memory", async () => {
    const asked: string[] = [];
    const typeOf = (type: number) => async (folder: string) => {
      asked.push(folder);
      return type;
    };
    assert.equal(await placeProblem(target(FILE), typeOf(TMPFS)), undefined);
    const problem = await placeProblem(target(FILE), typeOf(EXT4));
    assert.match(problem ?? "", /^the target t: \/ is not on a file system in memory \(tmpfs\); .*allow_disk: true$/);
    assert.match(
      (await placeProblem(target("directory: /tmp, secret: a"), typeOf(EXT4))) ?? "",
      /^the target t: \/tmp is not/,
    );
    assert.deepEqual(asked, ["/", "/", "/tmp"]);
  });

  it("may be on a disk with allow_disk", async () => {
    const typeOf = async () => assert.fail("asked");
    assert.equal(await placeProblem(target(`${FILE}, allow_disk: true`), typeOf), undefined);
  });

  it("is refused if its file system can't be determined", async () => {
    const typeOf = () => Promise.reject(new Error("EACCES"));
    assert.match((await placeProblem(target(FILE), typeOf)) ?? "", /is not on a file system in memory/);
  });

  it("in /dev/shm of this machine is in memory", async () => {
    assert.equal(await placeProblem(target("file: /dev/shm/coffer-agent-x, secret: a, key: k")), undefined);
  });
});
