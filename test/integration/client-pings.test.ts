import assert from "node:assert/strict";
import { type ClientHttp2Session, connect } from "node:http2";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { nextEvent } from "../support/next-event.ts";
import { API, ServerKit } from "../support/server-kit.ts";

/** Far more PINGs than any client sends to check whether its connection is alive. */
const PINGS = 5_000;

describe("the keepalive of clients", () => {
  let kit: ServerKit;
  let session: ClientHttp2Session;
  before(async () => {
    kit = await ServerKit.start();
    const { certPem: cert, keyPem: key } = kit.issue({ id: API });
    const port = kit.address.kind === "tcp" ? kit.address.port : 0;
    session = connect(`https://localhost:${port}`, { cert, key, ca: kit.ca.bundlePem, ALPNProtocols: ["h2"] });
    await nextEvent(session, "connect");
  });
  after(async () => {
    session?.destroy();
    await kit.stop();
  });

  // gRPC's own servers count PINGs without calls, and end a connection with too many of them with ENHANCE_YOUR_CALM.
  it("is answered for any number of PINGs without a call", async () => {
    const goaways: number[] = [];
    session.on("goaway", (code) => goaways.push(code));
    const ping = promisify((done: (error: Error | null) => void) => session.ping(done));
    for (let i = 0; i < PINGS; i++) await ping();
    assert.deepEqual(goaways, []);
    assert.equal(session.closed, false);
  });
});
