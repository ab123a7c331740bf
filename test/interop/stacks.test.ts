import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { METHODS } from "../../src/grpc/secrets-service.ts";
import { createDevelopmentCa } from "../../src/pki/development-ca.ts";
import { systemClock } from "../../src/domain/timers.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { API, ServerKit } from "../support/server-kit.ts";
import { bufCurl } from "./buf-curl.ts";
import { GRPCURL_INSTALL, type RunGrpcurl, findGrpcurl, grpcurl, runGrpcurl } from "../support/grpcurl.ts";
import { type Access, type Stack, lines } from "../support/stack.ts";

let kit: ServerKit;

before(async () => {
  kit = await ServerKit.start();
});

after(() => kit.stop());

/** How a stack reaches the server as a workload. The server's certificate is always verified. */
function access(id = API): Access {
  const port = kit.address.kind === "tcp" ? kit.address.port : 0;
  const files = kit.writeCredential(kit.issue({ id }), id.replaceAll(/\W/g, "-"));
  return { address: `localhost:${port}`, roots: join(kit.folder, "bundle.pem"), ...files };
}

const program = findGrpcurl();
const skip = program === undefined && `no grpcurl here; ${GRPCURL_INSTALL}`;

const stacks: [name: string, skip: string | false, stack: (access: Access) => Stack][] = [
  ["buf curl by reflection v1", false, (access) => bufCurl(access, "grpc-v1")],
  ["buf curl by reflection v1alpha", false, (access) => bufCurl(access, "grpc-v1alpha")],
  ["grpcurl", skip, (access) => grpcurl(runGrpcurl(program!, access))],
];

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;
const BYTES = Buffer.from([0, 1, 0xc3, 0x28, 0xff]).toString("base64");

for (const [name, skip, stackOf] of stacks) {
  // The tests of a stack depend on each other, as in the session of a user.
  describe(name, { skip }, () => {
    const path = `shop/api/${name.replaceAll(" ", "-")}`;
    let stack: Stack;
    const call = (method: string, request: object) => stack.call(`coffer.v1.Secrets/${method}`, request);
    before(() => {
      stack = stackOf(access());
    });

    it("lists services and methods", async () => {
      assert.deepEqual(await stack.services(), [
        "coffer.v1.Secrets",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
      ]);
      assert.deepEqual(await stack.methods("coffer.v1.Secrets"), [...METHODS].sort());
    });

    // The client must send zero, which means that the secret was never written. If zero is left out, any version is
    // accepted.
    it("puts text and bytes, with an expected_version of 0", async () => {
      const put = await call("Put", { path, data: { user: "ürsula" }, binaryData: { key: BYTES }, expectedVersion: 0 });
      assert.deepEqual([put.code, put.response?.path, put.response?.version], ["OK", path, 1]);
      assert.match(put.response.createTime, TIME);
      assert.ok(Number(put.response.revision) > 0);
    });

    it("gets them, every byte", async () => {
      const { response } = await call("Get", { path });
      assert.deepEqual([response.data, response.binaryData], [{ user: "ürsula" }, { key: BYTES }]);
      assert.match(response.createTime, TIME);
      assert.equal(response.version, 1);
    });

    it("reads the details of an error", async () => {
      const again = await call("Put", { path, data: { user: "x" }, expectedVersion: 0 });
      assert.deepEqual([again.code, again.reason], ["ABORTED", "VERSION_MISMATCH"]);
      assert.deepEqual(again.metadata, { path, latest_version: "1" });
      assert.equal(again.message, `expected_version is 0 but the latest version of ${path} is 1`);
      const bad = await call("Get", { path: "a//b" });
      assert.deepEqual([bad.code, bad.reason, bad.violations], ["INVALID_ARGUMENT", "INVALID_FIELD", ["path"]]);
    });

    it("puts without an expected_version, and lists page by page", async () => {
      assert.equal((await call("Put", { path, data: { user: "2" } })).response.version, 2);
      await call("Put", { path: `${path}-b`, data: { user: "b" } });
      const first = (await call("List", { prefix: path, pageSize: 1 })).response;
      assert.deepEqual([first.entries[0].path, first.entries[0].latestVersion], [path, 2]);
      assert.match(first.entries[0].updateTime, TIME);
      const second = (await call("List", { prefix: path, pageSize: 1, pageToken: first.nextPageToken })).response;
      assert.equal(second.entries[0].path, `${path}-b`);
    });

    it("deletes versions, and describes their state", async () => {
      const deleted = await call("Delete", { path, versions: [1], expectedVersion: 2 });
      assert.deepEqual(deleted.response.versions, [1]);
      const { response } = await call("Describe", { path });
      const [one, two] = response.versions;
      assert.deepEqual([one.state, two.state], ["VERSION_STATE_DELETED", "VERSION_STATE_LIVE"]);
      assert.deepEqual([one.deletedBy, two.createdBy], [API, API]);
      assert.match(one.deleteTime, TIME);
      assert.equal(two.deleteTime, undefined);
      assert.deepEqual([response.latestVersion, response.maxVersions], [2, 10]);
    });

    it("is denied a call that no rule allows", async () => {
      const { code, reason } = await call("Get", { path: "other/secret" });
      assert.deepEqual([code, reason], ["PERMISSION_DENIED", "ACCESS_DENIED"]);
    });

    it("asks for the server's health", async () => {
      const { response } = await stack.call("grpc.health.v1.Health/Check", { service: "coffer.v1.Secrets" });
      assert.equal(response.status, "SERVING");
    });

    // The program verifies the server, and the server verifies the program: each refuses the other with an unknown CA.
    it("is refused with the roots or the certificate of an unknown CA", async () => {
      const unknownCa = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
      const roots = join(kit.folder, "unknown-ca.pem");
      writeFileSync(roots, unknownCa.bundlePem);
      await refusedAs("handshake-failed", stackOf({ ...access(), roots }));
      const untrusted = kit.writeCredential(unknownCa.issue({ id: API }), "untrusted");
      await refusedAs("untrusted", stackOf({ ...access(), ...untrusted }));
    });
  });
}

async function refusedAs(reason: string, stack: Stack): Promise<void> {
  const refusals = () =>
    kit.log.filter((line) => line.event === "connection refused" && line["reason"] === reason).length;
  const before = refusals();
  await assert.rejects(stack.services());
  while (refusals() === before) await new Promise((resolve) => setImmediate(resolve));
}

describe("the output of grpcurl", { skip }, () => {
  let run: RunGrpcurl;
  before(() => {
    run = runGrpcurl(program!, access());
  });

  it("has the service, every message, and their imports", async () => {
    const messages = ["Put", "Get", "Delete", "List", "Describe"].flatMap((name) => [
      `${name}Request`,
      `${name}Response`,
    ]);
    const own = [...messages, "ListEntry", "VersionDescription", "VersionState", "Secrets"].map(
      (name) => `coffer.v1.${name}`,
    );
    const others = ["google.protobuf.Timestamp", "google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest"];
    const described = await Promise.all([...own, ...others].map((name) => run([], "describe", name)));
    for (const [i, name] of [...own, ...others].entries())
      assert.match(lines(described[i]!)[0]!, new RegExp(`^${name} is a`));
  });

  it("has the optional fields, and their types", async () => {
    const text = lines(await run([], "describe", "coffer.v1.PutRequest")).join("\n");
    assert.match(text, /optional uint32 expected_version = 4;/);
    assert.match(text, /map<string, bytes> binary_data = 3;/);
    assert.match(
      lines(await run([], "describe", "coffer.v1.GetResponse")).join("\n"),
      /\.google\.protobuf\.Timestamp create_time/,
    );
    assert.match(lines(await run([], "describe", "coffer.v1.PutRequest.path"))[0]!, /is a field/);
  });

  it("has the decoded details of an error", async () => {
    const { code, stderr } = await run(["-d", '{"path": "a//b"}'], "coffer.v1.Secrets/Get");
    assert.equal(code, 64 + 3);
    assert.match(stderr, /Message: path contains an empty segment/);
    assert.match(stderr, /"reason": "INVALID_FIELD"/);
    assert.match(stderr, /"field": "path",\s+"description": "path contains an empty segment/);
  });
});
