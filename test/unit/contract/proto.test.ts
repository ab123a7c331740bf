import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const BUF = "node_modules/.bin/buf";

interface File {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly service?: readonly { readonly method: readonly Method[] }[];
}

interface Method {
  readonly name: string;
  readonly options?: { readonly idempotencyLevel?: string };
}

describe("the options of coffer.proto", () => {
  let file: File;
  before(() => {
    const { stdout } = spawnSync(BUF, ["build", "proto/descriptors.binpb", "-o", "-#format=json"], {
      encoding: "utf8",
    });
    const { file: files } = JSON.parse(stdout) as { file: readonly File[] };
    file = files.find(({ name }) => name === "coffer/v1/coffer.proto")!;
  });

  // Without these options, protoc-gen-go refuses the file, and protoc puts all Java code into one class of the package
  // coffer.v1.
  it("name the package, the namespace and the classes of generated code", () => {
    assert.deepEqual(file.options, {
      csharpNamespace: "Coffer.V1",
      goPackage: "coffer/v1;cofferv1",
      javaMultipleFiles: true,
      javaOuterClassname: "CofferProto",
      javaPackage: "com.coffer.v1",
    });
  });

  // A client that retries automatically must know which calls it may repeat. Each Put creates another version.
  it("declare NO_SIDE_EFFECTS for the calls that read, and for no others", () => {
    const levels = file.service!.flatMap(({ method }) =>
      method.map(({ name, options }) => [name, options?.idempotencyLevel]),
    );
    assert.deepEqual(Object.fromEntries(levels), {
      Put: undefined,
      Get: "NO_SIDE_EFFECTS",
      Delete: undefined,
      List: "NO_SIDE_EFFECTS",
      Describe: "NO_SIDE_EFFECTS",
      Patch: undefined,
      Undelete: undefined,
      Destroy: undefined,
      Restore: undefined,
      Copy: undefined,
      Purge: undefined,
      Metadata: undefined,
      Commit: undefined,
      BatchGet: "NO_SIDE_EFFECTS",
      Watch: "NO_SIDE_EFFECTS",
      Report: undefined,
    });
  });
});

describe("the check for breaking changes of the proto", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "coffer-proto-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs the check of `npm run breaking:proto` on a copy of proto/ with one change. */
  function verdict(from: string, to: string): { code: number | null; says: string } {
    const copy = join(folder, "proto");
    cpSync("proto", copy, { recursive: true });
    const file = join(copy, "coffer/v1/coffer.proto");
    const text = readFileSync(file, "utf8");
    assert.equal(text.split(from).length, 2, `the proto has "${from}" once`);
    writeFileSync(file, text.replace(from, to));
    const command = `${BUF} build ${copy} -o - | ${BUF} breaking - --against proto/landed.binpb --config proto/buf.yaml`;
    const { status, stdout } = spawnSync(command, { shell: true, encoding: "utf8" });
    return { code: status, says: stdout };
  }

  const breaks: [what: string, from: string, to: string, says: RegExp][] = [
    [
      "a field with another number",
      "string page_token = 3;",
      "string page_token = 40;",
      /field "3" with name "page_token"/,
    ],
    [
      "a field with another type",
      "int32 page_size = 2;",
      "int64 page_size = 2;",
      /changed type from "int32" to "int64"/,
    ],
    [
      "a field with another name",
      "string page_token = 3;",
      "string token = 3;",
      /changed name from "page_token" to "token"/,
    ],
    ["a removed field", "  string page_token = 3;\n", "", /field "3" with name "page_token".* was deleted/],
    [
      "a method with another name",
      "rpc Describe(DescribeRequest)",
      "rpc Explain(DescribeRequest)",
      /RPC "Describe" .*was deleted/,
    ],
    ["another Java package", '"com.coffer.v1"', '"org.coffer.v1"', /"java_package" changed/],
    [
      "an enum value with another name",
      "VERSION_STATE_LIVE = 1;",
      "VERSION_STATE_OK = 1;",
      /changed name from "VERSION_STATE_LIVE"/,
    ],
  ];
  for (const [what, from, to, says] of breaks) {
    it(`refuses ${what}`, () => {
      const { code, says: said } = verdict(from, to);
      assert.notEqual(code, 0);
      assert.match(said, says);
    });
  }

  it("accepts an added field and an added comment", () => {
    const added = "string page_token = 3;\n  // More.\n  bool more = 40;";
    assert.deepEqual(verdict("string page_token = 3;", added), { code: 0, says: "" });
  });

  it("is a step of .ci/run", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const command = "buf build proto -o - | buf breaking - --against proto/landed.binpb --config proto/buf.yaml";
    assert.equal(scripts["breaking:proto"], command);
    assert.match(readFileSync("scripts/check.mjs", "utf8"), /^ {2}"breaking:proto",$/m);
    assert.match(readFileSync(".ci/run", "utf8"), /^step npm run --silent check$/m);
  });
});
