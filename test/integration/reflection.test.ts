import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { METHODS } from "../../src/grpc/secrets-service.ts";
import { status as Code } from "@grpc/grpc-js";
import {
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
  loadFileDescriptorSetFromBuffer,
  loadSync,
} from "@grpc/proto-loader";
import { nextEvent } from "../support/next-event.ts";
import { type Caller, ServerKit } from "../support/server-kit.ts";

let kit: ServerKit;
let anyCaller: Caller;

// Reflection is available to every caller with a valid SVID: no rule of the policy names this one.
before(async () => {
  kit = await ServerKit.start();
  anyCaller = kit.caller("spiffe://example.org/no-rule");
});

after(async () => {
  anyCaller.close();
  await kit.stop();
});

/** A response as proto-loader decodes it. */
interface Response {
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly all_extension_numbers_response?: { readonly base_type_name: string };
  readonly error_response?: { readonly error_code: number; readonly error_message: string };
}

/** The answers to these requests, sent one after the other on one stream. */
async function request(version: string, ...requests: readonly object[]): Promise<Response[]> {
  const options = { includeDirs: ["proto"], keepCase: true };
  const proto = loadSync(`grpc/reflection/${version}/reflection.proto`, options);
  const service = proto[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition;
  const { path, requestSerialize, responseDeserialize } = service["ServerReflectionInfo"] as MethodDefinition<
    object,
    Response
  >;
  const stream = anyCaller.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const responses: Response[] = [];
  for (const request of requests) {
    stream.write(request);
    responses.push(...((await nextEvent(stream, "data")) as [Response]));
  }
  stream.end();
  const [ending] = await nextEvent(stream.resume(), "status");
  assert.equal(ending.code, Code.OK);
  return responses;
}

/** Loads files as a client without its own protos does. Throws if an imported file is missing. */
function understood({ file_descriptor_response }: Response): PackageDefinition {
  const files = file_descriptor_response?.file_descriptor_proto ?? [];
  const set = files.flatMap((file) => [Buffer.from([0x0a, ...varint(file.length)]), file]);
  return loadFileDescriptorSetFromBuffer(Buffer.concat(set), { keepCase: true });
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

const symbol = (file_containing_symbol: string) => ({ file_containing_symbol });

for (const version of ["v1", "v1alpha"]) {
  describe(`reflection ${version}`, () => {
    it("lists the services that are served", async () => {
      const [answer] = await request(version, { list_services: "" });
      assert.deepEqual(
        answer?.list_services_response?.service.map(({ name }) => name),
        [
          "coffer.v1.Secrets",
          "grpc.health.v1.Health",
          "grpc.reflection.v1.ServerReflection",
          "grpc.reflection.v1alpha.ServerReflection",
        ],
      );
    });

    // An answer includes the files that the requested one imports, so that a client needs no second request.
    it("answers each declared symbol with its file and all files that it imports", async () => {
      const names = [
        "Secrets",
        "Secrets.Put",
        "PutRequest",
        "PutRequest.expected_version",
        "PutRequest._expected_version",
        "PutRequest.DataEntry.value",
        "VersionState",
        "VERSION_STATE_LIVE",
        "Operation.change",
      ];
      const answers = await request(version, ...names.map((name) => symbol(`coffer.v1.${name}`)));
      for (const answer of answers) {
        const read = understood(answer);
        assert.deepEqual(Object.keys(read["coffer.v1.Secrets"]!), METHODS);
        assert.ok("google.protobuf.Timestamp" in read);
      }
    });

    it("returns a file by its name, also those of the error details", async () => {
      const names = ["coffer/v1/coffer.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"];
      const answers = await request(version, ...names.map((file_by_filename) => ({ file_by_filename })));
      const [coffer, status, details] = answers.map(understood);
      assert.ok("coffer.v1.GetResponse" in coffer!);
      assert.ok("google.rpc.Status" in status! && "google.protobuf.Any" in status);
      assert.ok("google.rpc.ErrorInfo" in details! && "google.rpc.BadRequest" in details);
    });

    it("returns everything that it lists", async () => {
      const [answer] = await request(version, { list_services: "" });
      for (const { name } of answer!.list_services_response!.service) {
        const [file] = await request(version, symbol(name));
        assert.ok(name in understood(file!), name);
      }
    });

    // A name that is not found is an ordinary answer, and the stream continues.
    it("reports an unknown name, and continues", async () => {
      const unknown = [
        symbol("coffer.v1.Nothing"),
        symbol("coffer.v1"),
        symbol("coffer.v1.PutRequest.nothing"),
        symbol("__proto__"),
        { file_by_filename: "/etc/passwd" },
        { file_containing_extension: { containing_type: "coffer.v1.PutRequest", extension_number: 1 } },
        { all_extension_numbers_of_type: "coffer.v1.Nothing" },
        {},
      ];
      const answers = await request(version, ...unknown, symbol("coffer.v1.Secrets"));
      for (const answer of answers.slice(0, -1)) assert.equal(answer.error_response?.error_code, Code.NOT_FOUND);
      assert.match(answers[0]?.error_response?.error_message ?? "", /coffer\.v1\.Nothing/);
      assert.ok(understood(answers.at(-1)!));
    });

    it("reports that no message has extensions", async () => {
      const [answer] = await request(version, { all_extension_numbers_of_type: "coffer.v1.PutRequest" });
      assert.equal(answer?.all_extension_numbers_response?.base_type_name, "coffer.v1.PutRequest");
    });
  });
}
