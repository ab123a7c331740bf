import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_MAX_CONTENT_BYTES } from "../src/contract/limits.ts";
import { getRequest, putRequest } from "../src/contract/messages.ts";
import { type Access, accessOf, callOnce, openSession } from "./access.ts";
import { LARGE_SECRET } from "./attack-calls.ts";
import type { Target } from "./job.ts";
import type { Outcome } from "./meter.ts";
import { VALUE_BYTES, VALUE_KEY, grpcMessage } from "./request.ts";
import type { RunFolder } from "./run-folder.ts";

/** The number of well-behaved clients that connect during an attack, each with its own SVID. */
export const NEW_CLIENTS = 20;

/** How long a client waits for its answer, in milliseconds. It connects only once. */
const TIMEOUT_MS = 10_000;

/** The secret that the new clients read. */
const SMALL_SECRET = "web/small";

/**
 * Puts the secrets that the new clients and the attackers of "unread-get" read. The policy must allow the identity of
 * `access` to write below `web/`.
 */
export async function putForNewClients(access: Access): Promise<void> {
  await put(access, SMALL_SECRET, VALUE_BYTES);
  await put(access, LARGE_SECRET, DEFAULT_MAX_CONTENT_BYTES - VALUE_KEY.length);
}

async function put(access: Access, path: string, bytes: number): Promise<void> {
  const binaryData = [{ key: VALUE_KEY, value: Buffer.alloc(bytes) }];
  const message = putRequest.encode(putRequest.of({ path, data: [], binaryData, expectedVersion: undefined }));
  const outcome = await callAlone(access, "/coffer.v1.Secrets/Put", message);
  if (outcome.kind === "error") throw new Error(`the Put of ${path} failed: ${outcome.what}`);
}

/** Connects all new clients at the same time, and returns the number of those whose Get failed or got no answer in time. */
export async function refusedNewClients(folder: RunFolder, target: Target): Promise<number> {
  const message = getRequest.encode(getRequest.of({ path: SMALL_SECRET, version: 0 }));
  const access = accessOf(target);
  const svids = Array.from({ length: NEW_CLIENTS }, (_, n) => folder.issue(`/ns/web/sa/new-${n}`));
  const outcomes = svids.map((svid) => callAlone({ ...access, ...svid }, "/coffer.v1.Secrets/Get", message));
  return (await Promise.all(outcomes)).filter(({ kind }) => kind === "error").length;
}

/** Makes one call on a new connection. */
async function callAlone(access: Access, path: string, message: Buffer): Promise<Outcome> {
  const session = openSession(access);
  const timedOut: Outcome = { kind: "error", what: "no answer" };
  const outcome = await Promise.race([
    callOnce(session, path, grpcMessage(message)),
    sleep(TIMEOUT_MS, timedOut, { ref: false }),
  ]);
  session.destroy();
  return outcome;
}
