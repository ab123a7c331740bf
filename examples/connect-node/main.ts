// Puts and gets a secret, and reads the reason of an error. The program's identity is in files that spiffe-helper keeps up
// to date.
import { X509Certificate, createPrivateKey, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type PeerCertificate, connect } from "node:tls";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Secrets } from "./gen/coffer/v1/coffer_pb.ts";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";

const { COFFER_ADDR: address = "", COFFER_SERVER_ID: serverId = "", SVID_FOLDER: folder = "" } = process.env;

// #region verify
/** Accepts a server whose SVID has this SPIFFE ID and no other URI. OpenSSL has verified the chain by then. */
function verifyServer(_host: string, { subjectaltname = "" }: PeerCertificate): Error | undefined {
  const uris = subjectaltname.split(", ").filter((name) => name.startsWith("URI:"));
  const isServer = uris.length === 1 && uris[0] === `URI:${serverId}`;
  return isServer ? undefined : new Error(`the server is not ${serverId}: ${subjectaltname}`);
}
// #endregion

// #region transport
interface Identity {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** The identity in the files; undefined while spiffe-helper has written only some of them. */
function readIdentity(): Identity | undefined {
  try {
    const [cert, key, ca] = ["svid.pem", "svid_key.pem", "svid_bundle.pem"].map((name) =>
      readFileSync(join(folder, name)),
    );
    const isWhole = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) && new X509Certificate(ca).ca;
    return isWhole ? { cert, key, ca } : undefined;
  } catch {
    return undefined;
  }
}

async function firstIdentity(): Promise<Identity> {
  for (;;) {
    const identity = readIdentity();
    if (identity !== undefined) return identity;
    await pause(100);
  }
}

let identity = await firstIdentity();

/** Opens a connection with the newest SVID and bundle. */
function openConnection() {
  identity = readIdentity() ?? identity;
  const { hostname, port } = new URL(`https://${address}`);
  return connect({
    ...identity,
    host: hostname,
    port: Number(port),
    checkServerIdentity: verifyServer,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
  });
}

const transport = createGrpcTransport({
  baseUrl: `https://${address}`,
  interceptors: [retry],
  // In megabytes. Node resets streams of a session that uses more, and ten large Puts use its default of 10.
  nodeOptions: { createConnection: openConnection, maxSessionMemory: 64 },
  // A session whose socket was reset can stay open in connect-node 2.2.0, and its calls wait until a PING is not answered.
  pingIntervalMs: 10_000,
  pingTimeoutMs: 5_000,
  defaultTimeoutMs: 30_000,
});
// #endregion

// #region retry
/** A call whose connection breaks fails with one of these codes. */
const BROKEN: readonly Code[] = [Code.Unavailable, Code.Aborted, Code.Canceled];

/** Repeats calls that change nothing, and changes with a request_id, which the server applies once. */
function retry(next: Parameters<Interceptor>[0]): ReturnType<Interceptor> {
  return async (request) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await next(request);
      } catch (error) {
        const isBroken = BROKEN.includes(ConnectError.from(error).code) && !request.signal.aborted;
        const isRead = request.method.idempotency === Idempotency.NO_SIDE_EFFECTS;
        const isRepeatable = isRead || ("requestId" in request.message && request.message.requestId !== "");
        if (!isBroken || !isRepeatable || attempt === 5) throw error;
        await pause(100 * 2 ** attempt, undefined, { signal: request.signal });
      }
    }
  };
}
// #endregion

// #region reason
/** The reason of Coffer's google.rpc.ErrorInfo; undefined for an error that is not Coffer's. */
function reasonOf(error: unknown): string | undefined {
  const infos = ConnectError.from(error).findDetails(ErrorInfoSchema);
  return infos.find(({ domain }) => domain === "coffer")?.reason;
}
// #endregion

const secrets = createClient(Secrets, transport);
const path = "shop/api/db";

// #region put
const put = await secrets.put({ path, data: { user: "app" }, requestId: randomUUID() });
// #endregion
console.log("put", put.path);

try {
  await secrets.get({ path: `${path}/missing` });
} catch (error) {
  console.log("error", Code[ConnectError.from(error).code], reasonOf(error));
}

for (;;) {
  const got = await secrets.get({ path });
  console.log("get", got.data["user"]);
  await pause(1000);
}
