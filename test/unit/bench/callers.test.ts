import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type Http2SecureServer, type ServerHttp2Stream, createSecureServer, createServer } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { accessOf } from "../../../bench/access.ts";
import { BROKEN } from "../../../bench/attack-frames.ts";
import { Attackers } from "../../../bench/attack.ts";
import { attacksOn } from "../../../bench/attacks.ts";
import { type Episode, p99Ratio } from "../../../bench/callers.ts";
import { OPENING } from "../../../bench/connection.ts";
import { FrameSplitter, FrameType } from "../../../bench/frame.ts";
import { type JobResult, type Target, runPacedJob } from "../../../bench/job.ts";
import { Meter } from "../../../bench/meter.ts";
import { systemClock } from "../../../src/domain/timers.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { type MintReport, mintDevelopmentPki } from "../../../src/pki/development.ts";

const dir = mkdtempSync(join(tmpdir(), "bench-"));
let server: Http2SecureServer;
let target: Target;
let answer: (stream: ServerHttp2Stream) => void;

before(async () => {
  const pki = mintDevelopmentPki({ dir, trustDomain: TrustDomain.parse("example.org"), clock: systemClock });
  server = createSecureServer(optionsOf(pki));
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.resume();
    answer(stream);
  });
  server.on("sessionError", () => {}); // the attackers break sessions
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const files = { cert: pki.api.certFile, key: pki.api.keyFile, bundle: pki.ca.certFile };
  target = { protocol: "coffer", port: (server.address() as AddressInfo).port, pid: process.pid, ...files };
});

beforeEach(() => {
  answer = () => {};
});

after(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

function optionsOf({ coffer, ca: issuer }: MintReport) {
  const [cert, key, ca] = [coffer.certFile, coffer.keyFile, issuer.certFile].map((file) => readFileSync(file));
  return { cert: cert!, key: key!, ca: ca!, requestCert: true, rejectUnauthorized: false, ecdhCurve: "auto" };
}

function answerOk(stream: ServerHttp2Stream): void {
  if (stream.closed || stream.destroyed) return;
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
}

const result = (figures: Partial<JobResult>) => figures as JobResult;
const episode = (calm: Partial<JobResult>, attacked: Partial<JobResult>) =>
  ({ calm: result(calm), attacked: result(attacked) }) as Episode;

describe("the client at a fixed pace", () => {
  const job = () => ({ target, secrets: 1, perSecond: 100, warmUpMs: 0, measuredMs: 500 });

  // The server answers nothing before the second call has arrived. A client that waits for each answer before its next
  // call would wait forever here, and would make no call while a server stalls.
  it("starts calls whether or not earlier ones were answered", async () => {
    answer = (first) => {
      answer = (second) => {
        answer = answerOk;
        for (const stream of [first, second]) answerOk(stream);
      };
    };
    const { calls, errors } = await runPacedJob(job());
    assert.deepEqual(errors, {});
    assert.ok(calls >= 2, `${calls} calls`);
  });

  it("reports failed calls as errors, and makes the next call on another connection", async () => {
    let streams = 0;
    answer = (stream) => (streams++ === 0 ? stream.session!.destroy() : answerOk(stream));
    const { calls, errors } = await runPacedJob(job());
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
      answer = attack.kind === "unread-get" ? (stream) => stream.respond({ ":status": 200 }) : () => {};
      const arrived = once(server, "connection");
      const attackers = await Attackers.start({ attack: { ...attack, atOnce: 1 }, access: accessOf(target) });
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
