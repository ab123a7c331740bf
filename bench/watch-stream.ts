import { bool, bytes, int64, message, uint64 } from "../src/contract/message.ts";
import * as wire from "../src/contract/messages.ts";
import { nested } from "../src/contract/nested.ts";
import { repeated } from "../src/contract/repeated-fields.ts";
import type { Protocol } from "./job.ts";
import { VALUE_KEY } from "./request.ts";

/** A change as a watcher receives it. */
export interface WatchedChange {
  readonly path: string;
  readonly value: string;
}

/** How a watch and a Put are made with a server's API. */
interface WatchApi {
  readonly watch: string;
  readonly put: string;
  /** The request of a watch of one path, or of all if it is undefined. */
  readonly watchRequest: (path: string | undefined) => Buffer;
  readonly putRequest: (path: string, value: string) => Buffer;
  /** The changes of a message; undefined if it says that the watch has begun. */
  readonly changes: (message: Buffer) => readonly WatchedChange[] | undefined;
}

// The fields of etcd's rpc.proto and kv.proto that this client uses.
const etcdCreate = message<{ key: Uint8Array; rangeEnd: Uint8Array }>({
  key: bytes(1, "key"),
  rangeEnd: bytes(2, "range_end"),
});
const etcdWatch = message<{ create: { key: Uint8Array; rangeEnd: Uint8Array } | undefined }>({
  create: nested(1, "create_request", etcdCreate),
});
const etcdPair = message<{ key: Uint8Array; value: Uint8Array }>({ key: bytes(1, "key"), value: bytes(5, "value") });
const etcdEvent = message<{ pair: { key: Uint8Array; value: Uint8Array } | undefined }>({
  pair: nested(2, "kv", etcdPair),
});
const etcdWatched = message<{
  id: number;
  created: boolean;
  compacted: number;
  events: readonly { pair: { key: Uint8Array; value: Uint8Array } | undefined }[];
}>({
  id: int64(2, "watch_id"),
  created: bool(3, "created"),
  compacted: uint64(5, "compact_revision"),
  events: repeated(11, "events", etcdEvent),
});
const etcdPut = message<{ key: Uint8Array; value: Uint8Array }>({ key: bytes(1, "key"), value: bytes(2, "value") });

const ALL = Buffer.of(0);

const APIS: Readonly<Record<Protocol, WatchApi>> = {
  coffer: {
    watch: "/coffer.v1.Secrets/Watch",
    put: "/coffer.v1.Secrets/Put",
    watchRequest: (path) =>
      wire.watchRequest.encode(
        wire.watchRequest.of(
          path === undefined ? { prefixes: [""], withValues: true } : { paths: [path], withValues: true },
        ),
      ),
    putRequest: (path, value) =>
      wire.putRequest.encode(wire.putRequest.of({ path, data: [{ key: VALUE_KEY, value: Buffer.from(value) }] })),
    changes: (bytes) => {
      const { event } = wire.watchResponse.decode(bytes);
      if (event?.kind === "synced") return undefined;
      if (event?.kind !== "secret") return [];
      const [entry] = event.value.data;
      return [{ path: event.value.path, value: Buffer.from(entry?.value ?? ALL).toString() }];
    },
  },
  etcd: {
    watch: "/etcdserverpb.Watch/Watch",
    put: "/etcdserverpb.KV/Put",
    watchRequest: (path) => {
      const create =
        path === undefined ? { key: ALL, rangeEnd: ALL } : { key: Buffer.from(path), rangeEnd: Buffer.alloc(0) };
      return etcdWatch.encode({ create });
    },
    putRequest: (path, value) => etcdPut.encode({ key: Buffer.from(path), value: Buffer.from(value) }),
    changes: (bytes) => {
      const { created, events } = etcdWatched.decode(bytes);
      if (created) return undefined;
      return events.flatMap(({ pair }) =>
        pair === undefined
          ? []
          : [{ path: Buffer.from(pair.key).toString(), value: Buffer.from(pair.value).toString() }],
      );
    },
  },
};

/** A watch as a call with a stream of messages. */
export interface WatchCall {
  /** The method's path. */
  readonly method: string;
  readonly request: Buffer;
  /** Whether the stream of requests stays open. */
  readonly staysOpen: boolean;
  /** Call it with each message of the answer. */
  readonly onMessage: (message: Buffer) => void;
}

/** The watch of a path, or of all paths if it is undefined. After `onSynced`, `onChange` is called with each change. */
export function watchCall(
  protocol: Protocol,
  path: string | undefined,
  { onSynced, onChange }: { readonly onSynced: () => void; readonly onChange: (change: WatchedChange) => void },
): WatchCall {
  const api = APIS[protocol];
  let isSynced = false;
  const onMessage = (message: Buffer) => {
    const changes = api.changes(message);
    if (changes === undefined) {
      isSynced = true;
      onSynced();
    } else if (isSynced) for (const change of changes) onChange(change);
  };
  // etcd's watch is a stream in both directions, and ends with the request.
  return { method: api.watch, request: api.watchRequest(path), staysOpen: protocol === "etcd", onMessage };
}

/** The method and the message of a Put. */
export function putOf(protocol: Protocol, path: string, value: string): readonly [method: string, message: Buffer] {
  return [APIS[protocol].put, APIS[protocol].putRequest(path, value)];
}
