import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StartRefused } from "../../../src/domain/start-refused.ts";
import { refuseOtherNodes } from "../../../src/process/node-release.ts";

describe("the release of Node", () => {
  for (const version of [process.version, "v20.19.0", "v20.19.1", "v20.20.0", "v22.12.0", "v22.23.3"]) {
    it(`is supported: ${version}`, () => refuseOtherNodes(version));
  }

  // On the newer ones of these, an unauthenticated client's certificate can crash the process or leak its memory.
  for (const version of ["v18.20.8", "v20.18.3", "v21.7.3", "v22.11.0", "v23.11.1", "v24.21.0", "v26.0.0"]) {
    it(`is refused: ${version}`, () => {
      assert.throws(
        () => refuseOtherNodes(version),
        (error) => {
          assert.ok(error instanceof StartRefused);
          assert.match(
            error.problems.join(),
            new RegExp(`^this is Node ${version}, and the server runs on \\^20\\.19\\.0 `),
          );
          return true;
        },
      );
    });
  }
});
