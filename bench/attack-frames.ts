import { once } from "node:events";
import { type Access, beginCall, openSession } from "./access.ts";
import { closed, open, secured } from "./attack-handshakes.ts";
import type { Action } from "./attack.ts";
import { OPENING } from "./link.ts";
import { FrameSplitter, FrameFlag, FrameType, frame } from "./frame.ts";
import { grpcMessage } from "./request.ts";

/** The attacks that break an HTTP/2 connection. No rule names the attackers' SVID. */
export const attackByFrames = {
  "half-sent-puts": (access: Access): Action => {
    const message = grpcMessage(Buffer.alloc(PUT_BYTES));
    return async (effective) => {
      const session = openSession(access);
      const streams = Array.from({ length: PUTS }, () => beginCall(session, "/coffer.v1.Secrets/Put"));
      for (const stream of streams) stream.write(message.subarray(0, message.length / 2));
      if (streams.at(-1)!.pending) await once(streams.at(-1)!, "ready");
      effective();
      setImmediate(() => session.destroy());
      await once(session, "close");
    };
  },
  "broken-frames": (access: Access): Action => {
    let turn = 0;
    return async (effective) => {
      const broken = BROKEN[turn++ % BROKEN.length]!;
      const socket = open(access);
      const secure = secured(socket, access);
      await once(secure, "secureConnect");
      const answers = new FrameSplitter();
      secure.on("data", (chunk: Buffer) =>
        answers.push(chunk, ({ type }) => type === FrameType.goAway && socket.destroy()),
      );
      secure.write(Buffer.concat([OPENING, broken]), effective);
      await closed(socket);
    };
  },
};

/** The half-sent calls on one connection, and the size of each complete request in bytes. */
const PUTS = 20;
const PUT_BYTES = 128 * 1024;

/** RFC 7541 2.3.3: an index beyond both tables is a decoding error. */
const INVALID_INDEX = Buffer.of(0xff, 0x80, 0x80, 0x01);

/** Each of these frames is a connection error, which the server answers with GOAWAY (RFC 9113 6.1, 4.3 and 4.2). */
export const BROKEN: readonly Buffer[] = [
  frame(FrameType.data, FrameFlag.endStream, 0, Buffer.alloc(1)),
  frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, INVALID_INDEX),
  frame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, 1, Buffer.alloc(2 ** 14 + 1)),
];
