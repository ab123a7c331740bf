import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";

const FOLDER = ".github/ISSUE_TEMPLATE";

interface Form {
  readonly name?: string;
  readonly description?: string;
  readonly body: readonly {
    readonly type: string;
    readonly id?: string;
    readonly attributes: Readonly<Record<string, string>>;
  }[];
}

describe("the issue forms", () => {
  // GitHub does not offer a form that lacks a required key, and reports the error only on its own pages.
  it("have what GitHub requires", () => {
    const forms = readdirSync(FOLDER).filter((name) => name !== "config.yml");
    assert.deepEqual(forms.sort(), ["bug.yml", "feature.yml"]);
    for (const file of forms) {
      const { name, description, body } = parse(readFileSync(join(FOLDER, file), "utf8")) as Form;
      assert.ok(name && description, file);
      const fields = body.filter(({ type }) => type !== "markdown");
      assert.ok(
        fields.every(({ type, id, attributes }) => /^(textarea|input)$/.test(type) && id && attributes["label"]),
        file,
      );
      assert.equal(new Set(fields.map(({ id }) => id)).size, fields.length, file);
    }
  });

  it("send reports of vulnerabilities elsewhere", () => {
    assert.match(readFileSync(join(FOLDER, "bug.yml"), "utf8"), /Do not report a vulnerability here\. SECURITY\.md/);
    assert.match(readFileSync("SECURITY.md", "utf8"), /^## Reporting a vulnerability$/m);
  });
});
