import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_MAX_CONTENT_BYTES } from "../src/contract/limits.ts";
import { getRequest, putRequest } from "../src/contract/messages.ts";
import { type Access, accessOf, callOnce, openSession } from "./access.ts";
import { LARGE_SECRET } from "./attack-calls.ts";
import type { Target } from "./job.ts";
import type { Outcome } from "./meter.ts";
import { VALUE_BYTES, VALUE_KEY, grpcMessage } from "./request.ts";
import type { Workshop } from "./workshop.ts";

/** Polite clients that connect during an attack, each with an SVID of its own. */
export const NEWCOMERS = 20;

/** How long one of them waits for its answer, in milliseconds. It connects once only. */
const PATIENCE_MS = 10_000;

/** The secret that they read. */
const SMALL_SECRET = "web/small";

/** Puts what newcomers read, and what the attackers of "unread-get" do. `access` may write below `web/`. */
export async function putForNewcomers(access: Access): Promise<void> {
  await put(access, SMALL_SECRET, VALUE_BYTES);
  await put(access, LARGE_SECRET, DEFAULT_MAX_CONTENT_BYTES - VALUE_KEY.length);
}

async function put(access: Access, path: string, bytes: number): Promise<void> {
  const binaryData = [{ key: VALUE_KEY, value: Buffer.alloc(bytes) }];
  const message = putRequest.encode({ path, data: [], binaryData, expectedVersion: undefined });
  const outcome = await lone(access, "/coffer.v1.Secrets/Put", message);
  if (outcome.kind === "error") throw new Error(`the Put of ${path} failed: ${outcome.what}`);
}

/** Has all newcomers connect at once, and counts those whose Get is not answered. */
export async function refusedNewcomers(workshop: Workshop, target: Target): Promise<number> {
  const message = getRequest.encode({ path: SMALL_SECRET, version: 0 });
  const access = accessOf(target);
  const svids = Array.from({ length: NEWCOMERS }, (_, n) => workshop.issue(`/ns/web/sa/newcomer-${n}`));
  const outcomes = svids.map((svid) => lone({ ...access, ...svid }, "/coffer.v1.Secrets/Get", message));
  return (await Promise.all(outcomes)).filter(({ kind }) => kind === "error").length;
}

/** One call on a connection of its own. */
async function lone(access: Access, path: string, message: Buffer): Promise<Outcome> {
  const session = openSession(access);
  const late: Outcome = { kind: "error", what: "no answer" };
  const outcome = await Promise.race([
    callOnce(session, path, grpcMessage(message)),
    sleep(PATIENCE_MS, late, { ref: false }),
  ]);
  session.destroy();
  return outcome;
}
