import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { FETCH_X509_SVID, type X509SvidResponse, x509SvidResponse } from "../../../src/workload-api/x509-messages.ts";

/**
 * The part of the proto of the SPIFFE Workload API that Coffer's tables implement. protobufjs, an independent
 * implementation, reads it.
 */
const PROTO = `
  syntax = "proto3";
  service SpiffeWorkloadAPI { rpc FetchX509SVID(X509SVIDRequest) returns (stream X509SVIDResponse); }
  message X509SVIDRequest {}
  message X509SVIDResponse {
    repeated X509SVID svids = 1;
    repeated bytes crl = 2;
    map<string, bytes> federated_bundles = 3;
  }
  message X509SVID {
    string spiffe_id = 1;
    bytes x509_svid = 2;
    bytes x509_svid_key = 3;
    bytes bundle = 4;
    string hint = 5;
  }`;

const folder = mkdtempSync(join(tmpdir(), "coffer-workload-proto-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "workload.proto"), PROTO);
const proto = loadSync(join(folder, "workload.proto"), { keepCase: true, defaults: true });
const method = (proto["SpiffeWorkloadAPI"] as ServiceDefinition)["FetchX509SVID"]!;

const binary = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value));
const text = fc.string({ unit: "grapheme" });
const PLAIN = { noNullPrototype: true };
const svid = fc.record({ spiffeId: text, x509Svid: binary, x509SvidKey: binary, bundle: binary, hint: text }, PLAIN);
const entry = fc.record({ key: fc.stringMatching(/^[a-z]{1,9}$/), value: binary }, PLAIN);
const responses: fc.Arbitrary<X509SvidResponse> = fc.record(
  { svids: fc.array(svid, { maxLength: 4 }), federatedBundles: fc.array(entry, { maxLength: 3 }) },
  PLAIN,
);

/** A message in the form of protobufjs. */
function plain({ svids, federatedBundles }: X509SvidResponse): object {
  return {
    svids: svids.map(({ spiffeId, x509Svid, x509SvidKey, bundle, hint }) => ({
      spiffe_id: spiffeId,
      x509_svid: x509Svid,
      x509_svid_key: x509SvidKey,
      bundle,
      hint,
    })),
    crl: [],
    federated_bundles: Object.fromEntries(federatedBundles.map(({ key, value }) => [key, value])),
  };
}

describe("X509SVIDResponse", () => {
  it("has the method path of a service without a package", () => {
    assert.equal(FETCH_X509_SVID, method.path);
  });

  it("is decoded by protobufjs as Coffer encodes it", () => {
    fc.assert(
      fc.property(responses, (response) => {
        assert.deepEqual(method.responseDeserialize(x509SvidResponse.encode(response)), plain(response));
      }),
    );
  });

  it("is decoded by Coffer as protobufjs encodes it, without the CRLs", () => {
    fc.assert(
      fc.property(responses, (response) => {
        const once = new Map(response.federatedBundles.map((entry) => [entry.key, entry]));
        const bytes = method.responseSerialize({ ...plain(response), crl: [Buffer.from("a list")] });
        assert.deepEqual(x509SvidResponse.decode(bytes), { ...response, federatedBundles: [...once.values()] });
      }),
    );
  });
});
