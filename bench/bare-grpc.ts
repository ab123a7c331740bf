import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type handleUnaryCall as UnaryHandler,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

/**
 * A server that shows the cost of grpc-js alone: Coffer's proto with proto-loader's codec, and a Map. It has no
 * identity, policy, encryption, disk or metrics.
 */
const { values } = parseArgs({
  options: { port: { type: "string" }, cert: { type: "string" }, key: { type: "string" }, bundle: { type: "string" } },
});

interface Secret {
  readonly path: string;
  readonly data: Readonly<Record<string, string>>;
}

const secrets = new Map<string, Secret>();

const put: UnaryHandler<Secret, object> = ({ request }, callback) => {
  secrets.set(request.path, { path: request.path, data: request.data });
  callback(null, { path: request.path, version: 1, revision: secrets.size, create_time: createTime() });
};

const get: UnaryHandler<{ readonly path: string }, object> = ({ request }, callback) => {
  const secret = secrets.get(request.path);
  if (secret === undefined) callback({ code: status.NOT_FOUND });
  else callback(null, { ...secret, version: 1, revision: 1, create_time: createTime() });
};

function createTime(): { seconds: number; nanos: number } {
  const ms = Date.now();
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

// This loads the text of the proto and not its descriptor set, in which proto-loader turns maps into plain lists.
const contract = loadSync("coffer/v1/coffer.proto", {
  includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
  keepCase: true,
});
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(contract["coffer.v1.Secrets"] as ServiceDefinition, { Put: put, Get: get });
const identity = { cert_chain: readFileSync(values.cert!), private_key: readFileSync(values.key!) };
server.bindAsync(
  `127.0.0.1:${values.port}`,
  ServerCredentials.createSsl(readFileSync(values.bundle!), [identity], true),
  (error) => {
    if (error !== null) throw error;
  },
);
