import { createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { Bundle } from "../../src/spiffe/bundle.ts";
import { CurrentIdentity } from "../../src/identity/current-identity.ts";
import { shownBy } from "../../src/spiffe/sent-chain.ts";
import { parseSvid } from "../../src/spiffe/svid.ts";
import { processTimers } from "../../src/domain/timers.ts";
import { type Connection, Connections } from "../../src/admission/connection.ts";
import { HandshakeGate } from "../../src/admission/handshake-gate.ts";
import { ConnectionAdmission } from "../../src/admission/connection-admission.ts";
import { FILTER } from "../support/loaded-filter.ts";

/** The setup of the program: the server's SVID and the bundle of example.org, in PEM. */
export interface MemoryServerOptions {
  readonly cert: string;
  readonly key: string;
  readonly bundle: string;
}

/** The program's answer to a request. */
export interface MemoryReport {
  /** The resident memory, in bytes. */
  readonly resident: number;
  readonly accepted: number;
  readonly refused: readonly string[];
}

// A program with the server's part from accept(2) to a verified connection, which it then closes. On request, it
// reports its resident memory after a full garbage collection. After the message "read", it also reads
// every chain completely. This leaks memory, which the control of the test must detect.
const { cert, key, bundle } = JSON.parse(process.argv[2]!) as MemoryServerOptions;
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const trustDomain = TrustDomain.parse("example.org");
const identity = new CurrentIdentity(processTimers, "nothing yet");
const named = (name: string, pem: string) => ({ name, bytes: Buffer.from(pem) });
identity.adopt({
  svid: parseSvid(named("cert", cert), named("key", key), "server"),
  validUntil: Date.now() + 3_600_000,
  bundles: new Map([["example.org", Bundle.fromPem(trustDomain, Buffer.from(bundle), "bundle")]]),
});

let readsAll = false;
let accepted = 0;
const refused = new Set<string>();
const admission = new ConnectionAdmission({
  identity: Object.assign(identity, { close: () => {} }),
  connections: new Connections(),
  // Without pauses between handshakes, because there are thousands of them.
  gate: new HandshakeGate(
    { connections: 1000, inProgress: 1000, perSecond: 100_000 },
    { ...processTimers, busy: () => 0 },
  ),
  filter: FILTER,
  timers: processTimers,
  onConnection: (connection: Connection) => {
    accepted += 1;
    if (readsAll) shownBy(connection.socket).readRest();
    connection.close();
  },
  onRefused: ({ reason }) => refused.add(reason),
});

const server = createServer({ pauseOnConnect: false }, (socket) => admission.receive(socket));
server.listen(0, "127.0.0.1", () => process.send?.(server.address()));
process.on("message", async (asked: "report" | "read") => {
  if (asked === "read") readsAll = true;
  // JavaScript objects that the first collection frees release their native memory in the next turn of the event loop.
  for (let collection = 0; collection < 3; collection++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const report: MemoryReport = { resident: process.memoryUsage().rss, accepted, refused: [...refused] };
  process.send?.(report);
});
process.on("disconnect", () => process.exit());
