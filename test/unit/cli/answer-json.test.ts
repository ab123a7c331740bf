import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerJson } from "../../../src/cli/answer-json.ts";

describe("an answer as JSON", () => {
  it("has the names and forms of the API", () => {
    const answer = {
      path: "a/b",
      latestVersion: 2,
      expireTime: undefined,
      createTime: 0,
      defaultTtlMs: 1500,
      casRequired: false,
      labels: { teamName: "x", "a.b/createTime": "1" },
      versions: [{ version: 1, createTime: 1000 }],
    };
    assert.equal(
      answerJson(answer),
      `{
  "path": "a/b",
  "latest_version": 2,
  "create_time": "1970-01-01T00:00:00.000Z",
  "default_ttl": "1.5s",
  "cas_required": false,
  "labels": {
    "teamName": "x",
    "a.b/createTime": "1"
  },
  "versions": [
    {
      "version": 1,
      "create_time": "1970-01-01T00:00:01.000Z"
    }
  ]
}
`,
    );
  });
});
