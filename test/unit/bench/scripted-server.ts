import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type Http2SecureServer, type ServerHttp2Stream, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Target } from "../../../bench/job.ts";
import { systemClock } from "../../../src/domain/timers.ts";
import { TrustDomain } from "../../../src/spiffe/trust-domain.ts";
import { mintDevelopmentPki } from "../../../src/pki/development.ts";

/** A server of node:http2 that answers each call as a test says. The tests of the benchmark's clients call it. */
export class ScriptedServer {
  readonly target: Target;
  /** Answers a call. */
  answer: (stream: ServerHttp2Stream) => void = () => {};
  readonly http2: Http2SecureServer;
  readonly #dir: string;

  private constructor(http2: Http2SecureServer, target: Target, dir: string) {
    this.http2 = http2;
    this.target = target;
    this.#dir = dir;
    http2.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.resume();
      this.answer(stream);
    });
    http2.on("sessionError", () => {}); // attackers break sessions
  }

  static async start(): Promise<ScriptedServer> {
    const dir = mkdtempSync(join(tmpdir(), "bench-"));
    const pki = mintDevelopmentPki({ dir, trustDomain: TrustDomain.parse("example.org"), clock: systemClock });
    const [cert, key, ca] = [pki.coffer.certFile, pki.coffer.keyFile, pki.ca.certFile].map((file) =>
      readFileSync(file),
    );
    const identity = { cert: cert!, key: key!, ca: ca! };
    const http2 = createSecureServer({ ...identity, requestCert: true, rejectUnauthorized: false, ecdhCurve: "auto" });
    http2.listen(0, "127.0.0.1");
    await once(http2, "listening");
    const { port } = http2.address() as AddressInfo;
    const files = { cert: pki.api.certFile, key: pki.api.keyFile, bundle: pki.ca.certFile };
    return new ScriptedServer(http2, { protocol: "coffer", port, pid: process.pid, ...files }, dir);
  }

  close(): void {
    this.http2.close();
    rmSync(this.#dir, { recursive: true });
  }
}

/** Answers with the body of a gRPC call, and with headers and trailers. */
export function respond(stream: ServerHttp2Stream, body: Buffer, headers: object, trailers: object): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ ...trailers }));
  stream.end(body);
}
