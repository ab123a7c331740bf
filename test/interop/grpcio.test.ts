import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type MethodDefinition, type ServiceDefinition, loadSync } from "@grpc/proto-loader";
import { DetailType, errorInfo, status } from "../../src/contract/error-details.ts";
import { runToEnd } from "../support/cli-kit.ts";
import { API, ServerKit } from "../support/server-kit.ts";
import { lines } from "../support/stack.ts";

const isHere = spawnSync("python3", ["-c", "import grpc"]).status === 0;
const skip = !isHere && "no grpcio here; pip install grpcio";

const proto = loadSync("coffer/v1/coffer.proto", { includeDirs: ["proto"], keepCase: true, enums: String });
const secrets = proto["coffer.v1.Secrets"] as ServiceDefinition;

// grpcio uses gRPC's C core with BoringSSL, as the libraries for C++, Ruby and PHP do. It is an implementation other
// than those of grpcurl (Go) and buf curl (connect-go).
describe("grpcio", { skip }, () => {
  let kit: ServerKit;
  let run: (calls: readonly [method: string, request: object][]) => Promise<Outcome[]>;
  before(async () => {
    kit = await ServerKit.start();
    const { cert, key } = kit.writeCredential(kit.issue({ id: API }), "api");
    const port = kit.address.kind === "tcp" ? kit.address.port : 0;
    const access = [`localhost:${port}`, join(kit.folder, "bundle.pem"), cert, key];
    run = async (calls) => {
      const input = calls.map(([method, request]) => `${definition(method).path} ${encoded(method, request)}\n`);
      const ran = await runToEnd("python3", ["test/interop/grpcio.py", ...access], { input: input.join("") });
      return lines(ran).map((line, i) => outcome(calls[i]![0], line));
    };
  });
  after(() => kit.stop());

  it("puts and gets many secrets concurrently on one connection", async () => {
    const paths = Array.from({ length: 100 }, (_, i) => `shop/api/p${i}`);
    const value = Buffer.from([0, 0xff, 0xc3, 0x28]);
    const puts = await run(paths.map((path) => ["Put", { path, binary_data: { value }, expected_version: 0 }]));
    assert.deepEqual(new Set(puts.map(({ code }) => code)), new Set(["OK"]));
    const gets = await run(paths.map((path) => ["Get", { path }]));
    for (const [i, { response }] of gets.entries()) {
      assert.equal(response.path, paths[i]);
      assert.deepEqual(response.binary_data, { value });
    }
    const connections = kit.log.filter(({ event }) => event === "call").map((line) => line["connection"]);
    assert.equal(new Set(connections).size, 2);
  });

  it("reads the details of an error, and makes further calls", async () => {
    const [absent, bad, listed] = await run([
      ["Get", { path: "shop/api/none" }],
      ["Delete", { path: "a//b" }],
      ["List", { prefix: "shop/api/p9", page_size: 2 }],
    ]);
    assert.deepEqual([absent?.code, absent?.reason], ["NOT_FOUND", "SECRET_NOT_FOUND"]);
    assert.equal(absent?.message, "there is no secret at shop/api/none");
    assert.deepEqual([bad?.code, bad?.reason], ["INVALID_ARGUMENT", "INVALID_FIELD"]);
    assert.equal(listed?.response.entries.length, 2);
  });
});

interface Outcome {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read the fields that they expect
  readonly response: any;
}

function definition(method: string): MethodDefinition<object, object> {
  return secrets[method] as MethodDefinition<object, object>;
}

function encoded(method: string, request: object): string {
  return definition(method).requestSerialize(request).toString("base64");
}

function outcome(method: string, line: string): Outcome {
  const { code, message, answer, details } = JSON.parse(line) as Record<string, string>;
  const info = status
    .decode(Buffer.from(details!, "base64"))
    .details.find((detail) => detail.typeUrl === DetailType.errorInfo);
  const response = definition(method).responseDeserialize(Buffer.from(answer!, "base64"));
  return { code: code!, message: message!, reason: info && errorInfo.decode(info.value).reason, response };
}
