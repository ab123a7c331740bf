import * as wire from "../contract/messages.ts";
import type { PurgedEvent, SecretStateEvent, WatchEvent } from "../watch/watch-event.ts";
import { STATES, split } from "./secret-answers.ts";

/** The message of an event. */
export function watchResponse(event: WatchEvent): wire.WatchResponse {
  switch (event.kind) {
    case "secret":
      return { revision: event.revision, event: { kind: "secret", value: secret(event) } };
    case "purged":
      return { revision: event.revision, event: { kind: "secret", value: purged(event) } };
    case "revoked":
      return { revision: event.revision, event: { kind: "revoked", value: { path: event.path } } };
    case "resync":
      return { revision: 0, event: { kind: "resync", value: {} } };
    case "synced": {
      const { revision, readable, requested, watchId, policy } = event;
      return { revision, event: { kind: "synced", value: { readable, requested, watchId, policy } } };
    }
    case "heartbeat":
      return { revision: event.revision, event: { kind: "heartbeat", value: { policy: event.policy } } };
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
