import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { getRequest } from "../src/contract/messages.ts";
import { type Access, beginCall, openSession } from "./access.ts";
import type { Action } from "./attack.ts";
import { compressed, deletes, largePut, puts, reflection } from "./attack-messages.ts";
import { grpcMessage } from "./request.ts";

/** The secret that the attackers of "unread-get" may read. */
export const LARGE_SECRET = "web/large";

const PUT = "/coffer.v1.Secrets/Put";
const GET = "/coffer.v1.Secrets/Get";
const DELETE = "/coffer.v1.Secrets/Delete";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/** Concurrent calls on one connection. The server allows 256. */
const PUTS = 200;
const GETS = 250;

/** The attacks by calls. No rule names the attackers' SVID, except in "unread-get". */
export const attackByCalls = {
  "gzip-put": (access: Access): Action => calls(access, PUT, puts().map(compressed), { "grpc-encoding": "gzip" }),
  "entries-put": (access: Access): Action => calls(access, PUT, puts().map(grpcMessage)),
  "versions-delete": (access: Access): Action => calls(access, DELETE, deletes().map(grpcMessage)),
  reflection: (access: Access): Action => calls(access, REFLECT, [grpcMessage(reflection())]),
  "unfinished-put": (access: Access): Action => {
    const sessions = new Sessions(access, PUTS);
    const unfinished = grpcMessage(largePut()).subarray(0, -1);
    return async (effective) => {
      const stream = sessions.begin(PUT).resume();
      stream.write(unfinished);
      if (stream.pending) await once(stream, "ready");
      effective();
      await over(stream);
    };
  },
  "unread-get": (access: Access): Action => {
    const sessions = new Sessions(access, GETS, { initialWindowSize: 0 });
    const message = grpcMessage(getRequest.encode(getRequest.of({ path: LARGE_SECRET, version: 0 })));
    return async (effective) => {
      const stream = sessions.begin(GET).once("response", effective);
      stream.end(message);
      await over(stream);
    };
  },
};

/** Sends each of the messages in turn. A call is effective once it is sent. */
function calls(access: Access, path: string, messages: readonly Buffer[], headers?: OutgoingHttpHeaders): Action {
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

/** Opens the connections that the concurrent calls need, and replaces those that the server closes. */
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
