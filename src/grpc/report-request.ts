import { hasInstanceCharacters } from "../contract/instance-name.ts";
import { MAX_INSTANCE_BYTES } from "../contract/limits.ts";
import * as wire from "../contract/messages.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import type { VersionUse, VersionReport } from "../store/watch-registry.ts";

/** 16 bytes in base64url without padding. Errors have the watch_id, so it must be short. */
const WATCH_ID = /^[A-Za-z0-9_-]{22}$/;

/** The report of a request, without the path and the caller, which its permit has. Throws INVALID_FIELD or LIMIT_EXCEEDED. */
export function reportOf({
  watchId,
  version,
  state,
  instance,
}: wire.ReportRequest): Omit<VersionReport, "path" | "caller"> {
  if (!WATCH_ID.test(watchId)) throw invalidField("watch_id", "is not a watch_id from SYNCED");
  if (version === 0) throw invalidField("version", "is 0; versions start at 1");
  checkInstance(instance);
  return { watchId, version, state: stateOf(state), instance };
}

function stateOf(state: number): VersionUse {
  if (state === wire.ReportState.received) return "received";
  if (state === wire.ReportState.inUse) return "in use";
  throw invalidField("state", "is neither RECEIVED nor IN_USE");
}

function checkInstance(instance: string): void {
  const bytes = Buffer.byteLength(instance);
  if (bytes > MAX_INSTANCE_BYTES) throw limitExceeded("instance", MAX_INSTANCE_BYTES, "bytes", bytes);
  if (!hasInstanceCharacters(instance)) throw invalidField("instance", "has a character other than A-Z a-z 0-9 . _ -");
}
