import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { getRequest } from "../src/contract/messages.ts";
import { MAX_RECEIVE_BYTES } from "../src/contract/limits.ts";
import { type Access, beginCall, openSession } from "./access.ts";
import type { Act } from "./attacker.ts";
import { grpcMessage, secretPath } from "./request.ts";

/** The secret that the attackers of "unread-get" may read. */
export const LARGE_SECRET = "web/large";

const PUT = "/coffer.v1.Secrets/Put";
const GET = "/coffer.v1.Secrets/Get";
const DELETE = "/coffer.v1.Secrets/Delete";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** Calls of one connection. The server allows 256 at a time. */
const PUTS = 200;
const GETS = 250;

/** The attacks by calls, of an SVID that no rule names, except for "unread-get". */
export const attackByCalls = {
  "gzip-put": (access: Access): Act => {
    const messages = anyOrder(MAP_ENTRIES).map((body) => compressed(body));
    return calls(access, PUT, messages, { "grpc-encoding": "gzip" });
  },
  "entries-put": (access: Access): Act => calls(access, PUT, anyOrder(MAP_ENTRIES).map(grpcMessage)),
  "versions-delete": (access: Access): Act => calls(access, DELETE, anyOrder(VERSIONS).map(grpcMessage)),
  reflection: (access: Access): Act => calls(access, REFLECT, [grpcMessage(EXTENSIONS)]),
  "unfinished-put": (access: Access): Act => {
    const sessions = new Sessions(access, PUTS);
    const message = grpcMessage(Buffer.concat([PATH, Buffer.alloc(MAX_RECEIVE_BYTES - PATH.length)]));
    return async (effective) => {
      const stream = sessions.begin(PUT).resume();
      stream.write(message.subarray(0, -1));
      if (stream.pending) await once(stream, "ready");
      effective();
      await over(stream);
    };
  },
  "unread-get": (access: Access): Act => {
    const sessions = new Sessions(access, GETS, { initialWindowSize: 0 });
    const message = grpcMessage(getRequest.encode({ path: LARGE_SECRET, version: 0 }));
    return async (effective) => {
      const stream = sessions.begin(GET).once("response", effective);
      stream.end(message);
      await over(stream);
    };
  },
};

/** Field 1 of Put and Delete: a path that the caller may neither write nor delete. */
const PATH = field(1, Buffer.from(secretPath(0)));

/** Two bytes each, the least that an element of a field with a length takes. */
const ELEMENTS = Math.floor((MAX_RECEIVE_BYTES - PATH.length) / 2);

/** Field 2 of Put, a map: entries without key and value. */
const MAP_ENTRIES = Buffer.alloc(2 * ELEMENTS, field(2, Buffer.alloc(0)));

/** Field 2 of Delete, packed: a million times version 1, of one byte each. */
const VERSIONS = Buffer.concat([Buffer.of(0x12, 0xc0, 0x84, 0x3d), Buffer.alloc(1_000_000, 1)]);

/** Field 5 of a reflection request, a message: the last one counts, and each is decoded. */
const EXTENSIONS = Buffer.alloc(2 * ELEMENTS, field(5, Buffer.alloc(0)));

/** Protobuf allows fields in any order: the path may be the first or the last that the server reads. */
function anyOrder(rest: Buffer): Buffer[] {
  return [Buffer.concat([PATH, rest]), Buffer.concat([rest, PATH])];
}

/** A field with a length below 128. */
function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(number * 8 + 2, content.length), content]);
}

function compressed(body: Buffer): Buffer {
  const message = grpcMessage(gzipSync(body));
  message[0] = 1; // Compressed-Flag (gRPC over HTTP/2, "Length-Prefixed-Message")
  return message;
}

/** Calls with each of the messages in turn. They take effect once they are sent. */
function calls(access: Access, path: string, messages: readonly Buffer[], headers?: OutgoingHttpHeaders): Act {
  const sessions = new Sessions(access, PUTS);
  let turn = 0;
  return async (effective) => {
    const stream = sessions.begin(path, headers).resume();
    stream.end(messages[turn++ % messages.length], effective);
    await over(stream);
  };
}

async function over(stream: ClientHttp2Stream): Promise<void> {
  if (!stream.closed) await once(stream, "close");
}

/** As many connections as the calls need that are open at a time. One that the server closes is replaced. */
class Sessions {
  readonly #access: Access;
  readonly #callsEach: number;
  readonly #settings: Readonly<{ initialWindowSize?: number }>;
  readonly #calls = new Map<ClientHttp2Session, number>();

  constructor(access: Access, callsEach: number, settings: Readonly<{ initialWindowSize?: number }> = {}) {
    this.#access = access;
    this.#callsEach = callsEach;
    this.#settings = settings;
  }

  begin(path: string, headers?: OutgoingHttpHeaders): ClientHttp2Stream {
    const session = this.#free() ?? this.#open();
    this.#count(session, 1);
    return beginCall(session, path, headers).once("close", () => this.#count(session, -1));
  }

  #free(): ClientHttp2Session | undefined {
    return [...this.#calls].find(([, calls]) => calls < this.#callsEach)?.[0];
  }

  #open(): ClientHttp2Session {
    const session = openSession(this.#access, { settings: this.#settings });
    const forget = () => this.#calls.delete(session);
    session.once("goaway", forget).once("close", forget);
    return session;
  }

  #count(session: ClientHttp2Session, change: number): void {
    if (session.closed || session.destroyed) this.#calls.delete(session);
    else this.#calls.set(session, (this.#calls.get(session) ?? 0) + change);
  }
}
