import * as wire from "../contract/messages.ts";
import type { PurgedEvent, SecretStateEvent, WatchEvent } from "../watch/watch-event.ts";
import { STATES, split } from "./secret-answers.ts";

/** The message of an event. */
export function watchResponse(event: WatchEvent): wire.WatchResponse {
  if (event.kind === "resync") return { revision: 0, event: { kind: "resync", value: {} }, timeline: "" };
  const { revision, timeline } = event;
  return { revision, event: reportOf(event), timeline };
}

function reportOf(event: Exclude<WatchEvent, { readonly kind: "resync" }>): wire.WatchReport {
  switch (event.kind) {
    case "secret":
      return { kind: "secret", value: secret(event) };
    case "purged":
      return { kind: "secret", value: purged(event) };
    case "revoked":
      return { kind: "revoked", value: { path: event.path } };
    case "synced": {
      const { readable, requested, watchId, policy } = event;
      return { kind: "synced", value: { readable, requested, watchId, policy } };
    }
    case "heartbeat":
      return { kind: "heartbeat", value: { policy: event.policy } };
  }
}

function secret({ path, newest, content }: SecretStateEvent): wire.WatchedSecret {
  return wire.watchedSecret.of({
    path,
    version: newest?.version.number ?? 0,
    state: newest === undefined ? wire.VersionState.unspecified : STATES[newest.state],
    createTime: newest?.version.createTime,
    expireTime: newest?.version.expireTime,
    ...split(content),
  });
}

function purged({ path, lastVersion }: PurgedEvent): wire.WatchedSecret {
  return wire.watchedSecret.of({ path, version: lastVersion, purged: true });
}
