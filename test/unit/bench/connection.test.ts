import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type Http2SecureServer, type ServerHttp2Stream, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Connection } from "../../../bench/connection.ts";
import type { Outcome } from "../../../bench/meter.ts";
import { RequestTemplate, VALUE_BYTES } from "../../../bench/request.ts";
import { systemClock } from "../../../src/domain/timers.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { type MintReport, mintDevelopmentPki } from "../../../src/pki/development.ts";

const dir = mkdtempSync(join(tmpdir(), "bench-"));
const reply = Buffer.alloc(VALUE_BYTES + 10);
let pki: MintReport;
let server: Http2SecureServer;
let answer: (stream: ServerHttp2Stream) => void;

before(async () => {
  pki = mintDevelopmentPki({ dir, trustDomain: TrustDomain.parse("example.org"), clock: systemClock });
  server = createSecureServer({
    cert: readFileSync(pki.coffer.certFile),
    key: readFileSync(pki.coffer.keyFile),
    ca: readFileSync(pki.authority.certFile),
    requestCert: true,
  });
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.resume();
    answer(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

after(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

/** Makes `calls` Gets over one connection and tells how each ended, in the order of their ends. */
async function call(calls: number, inFlight = 4): Promise<string[]> {
  const { port } = server.address() as AddressInfo;
  const files = { cert: pki.api.certFile, key: pki.api.keyFile, bundle: pki.authority.certFile };
  const outcomes: string[] = [];
  let left = calls;
  const connection = await Connection.open(
    { protocol: "coffer", port, pid: process.pid, ...files },
    {
      template: new RequestTemplate("coffer", "get", `localhost:${port}`),
      inFlight,
      next: () => (left-- > 0 ? left : undefined),
      ended: (outcome: Outcome) => outcomes.push(outcome.kind === "ok" ? "ok" : outcome.what),
    },
  );
  await connection.run();
  return outcomes;
}

function respond(stream: ServerHttp2Stream, body: Buffer, headers: object, trailers: object): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ ...trailers }));
  stream.end(body);
}

describe("the bench's connection", () => {
  // A failure is never counted as a call: whatever else the headers hold, and however full the server's table of
  // headers is, the status that the client reads is the one that the server sent.
  it("reads every grpc-status", async () => {
    const sent: string[] = [];
    answer = (stream) => {
      const n = sent.length;
      const code = (n * 7) % 17;
      sent.push(code === 0 ? "ok" : `grpc-status ${code}`);
      const noise = { [`x-${n % 50}`]: `${"noise".repeat(n % 9)}${n}` };
      respond(stream, reply, noise, { ...noise, "grpc-status": `${code}`, "grpc-message": `call ${n}` });
    };
    const read = await call(1000, 1);
    assert.deepEqual(read, sent);
    assert.equal(new Set(read).size, 17);
  });

  // Servers such as etcd answer OK for a key that is not there: without the value the reply is too short.
  it("takes a reply without a value for an error", async () => {
    answer = (stream) => respond(stream, reply.subarray(0, 50), {}, { "grpc-status": "0" });
    assert.deepEqual(await call(2), ["a reply that is too short", "a reply that is too short"]);
    answer = (stream) => respond(stream, reply, {}, { "grpc-status": "0" });
    assert.deepEqual(await call(2), ["ok", "ok"]);
  });

  // An answer that breaks off, or that is no gRPC, is an error of that call and not the end of the others.
  it("counts what is no answer", async () => {
    const answers = [
      (stream: ServerHttp2Stream) => stream.close(8),
      (stream: ServerHttp2Stream) => stream.respond({ ":status": 404 }, { endStream: true }),
      (stream: ServerHttp2Stream) => respond(stream, reply, {}, { "grpc-status": "0" }),
    ];
    let n = 0;
    answer = (stream) => answers[n++]!(stream);
    assert.deepEqual(await call(3, 1), ["RST_STREAM 8", "no grpc-status", "ok"]);
  });

  // A server may ask for another connection at any time. The calls that it took are answered, and no further call is
  // begun, so that the next connection makes the rest. One call at a time: nghttp2 ignores what crosses its GOAWAY.
  it("ends after GOAWAY with its calls answered", async () => {
    let taken = 0;
    answer = (stream) => {
      taken += 1;
      if (taken === 5) stream.session!.goaway(0, 2 ** 31 - 1); // as grpc-js does: "no more, but what is under way"
      respond(stream, reply, {}, { "grpc-status": "0" });
    };
    const outcomes = await call(1000, 1);
    assert.deepEqual(outcomes, Array(5).fill("ok"));
    assert.equal(taken, 5);
  });

  // Requests stay within the server's window, which is smaller than what is to be sent, and continue as it grows.
  it("sends more than the server's window holds", async () => {
    answer = (stream) => respond(stream, reply, {}, { "grpc-status": "0" });
    assert.deepEqual(await call(6000, 64), Array(6000).fill("ok"));
  });
});
