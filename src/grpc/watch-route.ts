import { MAX_WATCHED } from "../contract/limits.ts";
import * as wire from "../contract/messages.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import { parsePathPrefix, parseSecretPath } from "../domain/secret-path.ts";
import type { Connection } from "../admission/connection.ts";
import type { Bookmark } from "../watch/bookmark.ts";
import type { WatchEvent } from "../watch/watch-event.ts";
import type { Watch, WatchHub } from "../watch/watch-hub.ts";
import { WatchScope } from "../watch/watch-scope.ts";
import type { RequestedWatch, WatchSink } from "../watch/watcher-options.ts";
import type { AnswerableCall, AuthorizedRoute } from "./authorized-route.ts";
import { PREFIX_BYTES, writePrefix } from "./framing.ts";
import type { MethodId } from "./method-id.ts";
import { watchResponse } from "./watch-answers.ts";

// Bytes of an event in addition to its content: its path, numbers and times.
const EVENT_BYTES = 256;

// The memory for each path and prefix of an open watch, on this thread and on that of the store. Without counting it, a
// caller with a few thousand watches of 128 prefixes each could take a hundred megabytes.
const WATCHED_BYTES = 192;

/** What the method Watch needs. */
export interface WatchMethod {
  /** Authorizes the call as a whole. Throws ACCESS_DENIED. */
  readonly permit: (caller: Connection) => void;
  readonly watches: WatchHub;
  readonly counts: WatchCounts;
}

/** Receives the numbers of a thread, for metrics. */
export interface WatchCounts {
  /** The open watches. */
  watches: number;
  /** The events about a secret that were sent since the start. */
  events: number;
}

/** The route of Watch. */
export function watchRoute(id: MethodId, method: WatchMethod): AuthorizedRoute {
  return {
    kind: "authorized",
    method: id,
    target: undefined,
    authorize: (caller) => method.permit(caller),
    answer: (call, message) => {
      try {
        method.permit(call.caller);
        begin(method, call, requestOf(wire.watchRequest.decode(message)));
      } catch (error) {
        call.fail(error);
      } finally {
        call.wipeRequest();
      }
    },
  };
}

function begin({ watches, counts }: WatchMethod, call: AnswerableCall, request: RequestedWatch): void {
  let watch: Watch | undefined;
  const end = () => {
    watch?.end();
    counts.watches = watches.count;
  };
  const bytes = request.scope.requested * WATCHED_BYTES;
  watch = watches.begin(call.caller, request, (wake) => {
    const stream = call.beginStream({ onSpace: wake, onOver: end }, bytes);
    return {
      get isOver() {
        return call.isOver;
      },
      fits: (bytes) => stream.fits(bytes + EVENT_BYTES),
      hold: (bytes) => stream.hold(bytes),
      drop: (bytes) => stream.drop(bytes),
      send: (event) => {
        if ("path" in event) counts.events += 1;
        stream.write(framed(event));
      },
      fail: (error) => call.fail(error),
    } satisfies WatchSink;
  });
  counts.watches = watches.count;
  // If the connection is ending, it has already ended the call.
  if (call.isOver) end();
}

/** Overwrites the values of the event. */
function framed(event: WatchEvent): Buffer {
  const bytes = wire.watchResponse.encode(watchResponse(event), PREFIX_BYTES);
  writePrefix(bytes);
  if (event.kind === "secret") event.content?.dispose();
  return bytes;
}

/** From where a request continues. */
export function bookmarkOf({ fromRevision, policy, timeline, seenRevision }: WatchBeginning): Bookmark {
  return { revision: fromRevision, policy, seen: { revision: Math.max(fromRevision, seenRevision), timeline } };
}

type WatchBeginning = Pick<wire.WatchRequest, "fromRevision" | "policy" | "timeline" | "seenRevision">;

function requestOf({ paths, prefixes, withValues, ...from }: wire.WatchRequest): RequestedWatch {
  const requested = paths.length + prefixes.length;
  if (requested === 0) throw invalidField("paths", "is empty, and so is prefixes");
  if (requested > MAX_WATCHED)
    throw limitExceeded("prefixes", MAX_WATCHED, "elements", requested, "paths and prefixes together");
  const scope = new WatchScope(
    paths.map((path, index) => parseSecretPath(path, `paths[${index}]`)),
    prefixes.map((prefix, index) => parsePathPrefix(prefix, `prefixes[${index}]`)),
  );
  return { scope, withValues, from: bookmarkOf(from) };
}
