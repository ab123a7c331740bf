import assert from "node:assert/strict";
import { once } from "node:events";
import { type ServerHttp2Stream, createServer } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { accessOf } from "../../../bench/access.ts";
import { BROKEN } from "../../../bench/attack-frames.ts";
import { Attackers } from "../../../bench/attack.ts";
import { attacksOn } from "../../../bench/attacks.ts";
import { type Episode, p99Ratio } from "../../../bench/callers.ts";
import { OPENING } from "../../../bench/link.ts";
import { FrameSplitter, FrameType } from "../../../bench/frame.ts";
import { type JobResult, runPacedJob } from "../../../bench/job.ts";
import { Meter } from "../../../bench/meter.ts";
import { ScriptedServer, respond } from "./scripted-server.ts";

let server: ScriptedServer;

before(async () => {
  server = await ScriptedServer.start();
});

beforeEach(() => {
  server.answer = () => {};
});

after(() => server.close());

function answerOk(stream: ServerHttp2Stream): void {
  if (!stream.closed && !stream.destroyed) respond(stream, Buffer.alloc(5), {}, { "grpc-status": "0" });
}

const result = (figures: Partial<JobResult>) => figures as JobResult;
const episode = (calm: Partial<JobResult>, attacked: Partial<JobResult>) =>
  ({ calm: result(calm), attacked: result(attacked) }) as Episode;

describe("the client at a fixed pace", () => {
  const job = () => ({ target: server.target, secrets: 1, perSecond: 100, warmUpMs: 0, measuredMs: 500 });

  // The server answers nothing before the second call has arrived. A client that waits for each answer before its next
  // call would wait forever here, and would make no call while a server stalls.
  it("starts calls whether or not earlier ones were answered", async () => {
    server.answer = (first) => {
      server.answer = (second) => {
        server.answer = answerOk;
        for (const stream of [first, second]) answerOk(stream);
      };
    };
    const { calls, errors } = await runPacedJob(job());
    assert.deepEqual(errors, {});
    assert.ok(calls >= 2, `${calls} calls`);
  });

  it("reports failed calls as errors, and makes the next call on another connection", async () => {
    let streams = 0;
    server.answer = (stream) => (streams++ === 0 ? stream.session!.destroy() : answerOk(stream));
    // On a busy machine, every call of the first half second may be on the connection that the server destroys.
    const { calls, errors } = await runPacedJob({ ...job(), measuredMs: 5000 });
    assert.ok(Object.values(errors).reduce((sum, count) => sum + count, 0) >= 1);
    assert.ok(calls > 0);
  });
});

describe("the p99 during an attack", () => {
  it("is compared with the p99 before the attack", () => {
    assert.equal(p99Ratio(episode({ p99: 2 }, { p99: 5, calls: 1000, errors: {} })), 2.5);
  });

  // One failure in a hundred is above the 99th percentile. With more failures, the percentile itself is a failure.
  it("is infinite when more than one call in a hundred failed", () => {
    assert.equal(p99Ratio(episode({ p99: 2 }, { p99: 5, calls: 1000, errors: { x: 10 } })), 2.5);
    assert.equal(p99Ratio(episode({ p99: 2 }, { p99: 5, calls: 1000, errors: { x: 11 } })), Number.POSITIVE_INFINITY);
    assert.equal(p99Ratio(episode({ p99: 2 }, { p99: 0, calls: 0, errors: { x: 1 } })), Number.POSITIVE_INFINITY);
  });

  it("includes the waiting time of unanswered calls", () => {
    const meter = new Meter(process.pid);
    meter.start();
    meter.recordUnanswered(performance.now() - 60_000);
    meter.stop();
    const { calls, errors, p99 } = meter.result();
    assert.deepEqual({ calls, errors }, { calls: 1, errors: { "no answer": 1 } });
    assert.ok(p99 >= 60_000, `${p99} ms`);
  });
});

describe("attackers", () => {
  // Each attack runs in its own process against a server of node:http2. The attack has started when the server accepts
  // the connection.
  for (const attack of attacksOn(1).filter(({ kind }) => kind !== "none")) {
    it(`reach the server: ${attack.name}`, async () => {
      server.answer = attack.kind === "unread-get" ? (stream) => stream.respond({ ":status": 200 }) : () => {};
      const arrived = once(server.http2, "connection");
      const attackers = await Attackers.start({ attack: { ...attack, atOnce: 1 }, access: accessOf(server.target) });
      await arrived;
      assert.ok((await attackers.stop()).started >= 1);
    });
  }

  // The error codes of GOAWAY (RFC 9113 7) are PROTOCOL_ERROR, COMPRESSION_ERROR and FRAME_SIZE_ERROR.
  it("break a connection in three ways", async () => {
    const plain = createServer().listen(0, "127.0.0.1");
    plain.on("sessionError", () => {});
    await once(plain, "listening");
    const codes = [];
    for (const broken of BROKEN) codes.push(await goAwayCode((plain.address() as AddressInfo).port, broken));
    plain.close();
    assert.deepEqual(codes, [1, 9, 6]);
  });
});

async function goAwayCode(port: number, broken: Buffer): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  const answers = new FrameSplitter();
  const code = new Promise<number>((resolve) => {
    socket.on("data", (chunk) =>
      answers.push(chunk, ({ type, payload }) => type === FrameType.goAway && resolve(payload.readUInt32BE(4))),
    );
  });
  socket.write(Buffer.concat([OPENING, broken]));
  const received = await code;
  socket.destroy();
  return received;
}
