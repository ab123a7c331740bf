import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { callerVariables } from "../support/cli-caller.ts";
import { type Ran, runToEnd } from "../support/cli-kit.ts";
import { GRPCURL_INSTALL, findGrpcurl } from "../support/grpcurl.ts";
import { codeBlocks, page } from "../support/pages.ts";
import { API, ServerKit } from "../support/server-kit.ts";

const program = findGrpcurl();
const skip = program === undefined && `no grpcurl here; ${GRPCURL_INSTALL}`;

describe("grpcurl with a descriptor set", { skip }, () => {
  const [block = ""] = codeBlocks(page("docs/api.md"), "Tools", "sh");
  const folder = mkdtempSync(join(tmpdir(), "coffer-protoset-"));
  let kit: ServerKit;
  let env: Record<string, string>;
  before(async () => {
    kit = await ServerKit.start();
    env = callerVariables(kit, API, "api");
  });
  after(async () => {
    await kit.stop();
    rmSync(folder, { recursive: true });
  });

  /** Runs a line of the page with the kit's address and a caller's identity. */
  const run = (line: string): Promise<Ran> => {
    const command = line
      .replace(/^grpcurl/, program as string)
      .replace("localhost:8553", `localhost:${(kit.address as { port: number }).port}`)
      .replace("certs/dev/bundle.pem", env["COFFER_BUNDLE"] as string)
      .replace("certs/dev/api.pem", env["COFFER_CERT"] as string)
      .replace("certs/dev/api.key", env["COFFER_KEY"] as string);
    return runToEnd("sh", ["-c", command], {});
  };

  it("lists and describes the service, puts a secret and gets it, with the commands of docs/api.md", async () => {
    const lines = block.trim().split("\n");
    assert.equal(lines.length, 4);
    const shown: string[] = [];
    for (const line of lines) {
      const { code, stdout, stderr } = await run(line);
      assert.equal(code, 0, `${line}\n${stderr}`);
      shown.push(stdout.toString());
    }
    const [services, description, put, got] = shown as [string, string, string, string];
    assert.match(services, /^coffer\.v1\.Secrets$/m);
    assert.match(description, /rpc Put \( \.coffer\.v1\.PutRequest \)/);
    assert.equal(JSON.parse(put).version, 1);
    assert.deepEqual(JSON.parse(got).data, { user: "app" });
  });

  // The control: grpcurl knows no message without a descriptor set and without reflection.
  it("fails without a set and without reflection", async () => {
    const { code } = await runToEnd(program as string, ["describe", "coffer.v1.Secrets"], {});
    assert.notEqual(code, 0);
  });

  it("shows the comments in the set of npm run protoset", async () => {
    const file = join(folder, "coffer.protoset");
    const words = ["build", "proto", "--as-file-descriptor-set", "-o", `${file}#format=binpb`];
    execFileSync("node_modules/.bin/buf", words);
    const commented = await runToEnd(program as string, ["-protoset", file, "describe", "coffer.v1.PutRequest"], {});
    const bare = await runToEnd(
      program as string,
      ["-protoset", "proto/descriptors.binpb", "describe", "coffer.v1.PutRequest"],
      {},
    );
    const proto = readFileSync("proto/coffer/v1/coffer.proto", "utf8");
    const [, comment = ""] = /^message PutRequest \{\n *(\/\/ .*)$/m.exec(proto) ?? [];
    assert.ok(comment.length > 10);
    assert.ok(commented.stdout.includes(comment));
    assert.ok(!bare.stdout.includes(comment));
  });
});
