import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findEnvoy } from "../interop/envoy.ts";
import { reasonToSkip } from "../spire/programs.ts";
import type { Spire } from "../spire/spire.ts";
import { freePort } from "../support/free-port.ts";
import { API } from "../support/server-kit.ts";
import { page, table } from "../unit/docs/pages.ts";
import { type Build, type Built, build, missing } from "./build.ts";
import type { Example } from "./example.ts";
import { FOREIGN, Site, type Variables } from "./site.ts";
import { SvidFiles } from "./svid-files.ts";

/** How an example gets its identity, and what it expects of the server. */
interface Identity {
  readonly site: Site;
  readonly spire: Spire;
  readonly serverId: string;
}

/** One of the stacks of docs/clients.md. */
interface Stack extends Build {
  /** The code of an absent secret as this stack prints it. */
  readonly notFound: string;
  /** Whether it verifies the server's SPIFFE ID. */
  readonly verifiesId: boolean;
  /** Starts what the example needs beside it, and answers its environment. */
  readonly prepare?: (identity: Identity, variables: Variables) => Promise<Variables>;
}

const STACKS: readonly Stack[] = [
  { heading: "Go", folders: ["go"], needs: ["go version"], notFound: "NotFound", verifiesId: true },
  { heading: "Python", folders: ["python"], needs: ["python3 -m venv -h"], notFound: "NOT_FOUND", verifiesId: false },
  {
    heading: "Connect for Node",
    folders: ["connect-node"],
    needs: ["npm -v"],
    notFound: "NotFound",
    verifiesId: true,
    prepare: followFiles,
  },
  { heading: "Rust", folders: ["rust"], needs: ["cargo --version"], notFound: "NotFound", verifiesId: true },
  {
    heading: "Envoy",
    folders: ["envoy", "python"],
    needs: ["python3 -m venv -h"],
    notFound: "NOT_FOUND",
    verifiesId: true,
    prepare: startEnvoy,
  },
  { heading: "Java", folders: ["java"], needs: ["javac --version", "mvn -v"], notFound: "NOT_FOUND", verifiesId: true },
];

/** Seconds. SPIRE renews these at half of their life, and Coffer sends GOAWAY after eight tenths of it. */
const SHORT = 10;

const envoy = findEnvoy();

// spiffe-helper's part, for a library that takes no Workload API.
async function followFiles({ site, spire }: Identity, variables: Variables): Promise<Variables> {
  const folder = join(site.machine.folder, `svid-of-${spire.trustDomain}`);
  const isForeign = spire !== site.spire;
  const files = await SvidFiles.open(folder, spire, isForeign ? "federated_bundle.0.0.pem" : "bundle.0.pem");
  site.atEnd(() => files.close());
  return { ...variables, SVID_FOLDER: folder };
}

// With the names of this site in place of those of the example.
async function startEnvoy({ site, spire, serverId }: Identity, variables: Variables): Promise<Variables> {
  const port = await freePort();
  const replaced = {
    "coffer.example.org, port_value: 8553": site.address.replace(":", ", port_value: "),
    "port_value: 8554": `port_value: ${port}`,
    "spiffe://example.org/coffer": serverId,
    "/run/spire/agent.sock": spire.endpoint.replace("unix:", ""),
    // By this name SPIRE gives the bundle of another trust domain than its own.
    ...(spire !== site.spire && { "name: ROOTCA": 'name: "spiffe://example.org"' }),
  };
  let config = readFileSync("examples/envoy/envoy.yaml", "utf8");
  for (const [from, to] of Object.entries(replaced)) {
    assert.ok(config.includes(from), from);
    config = config.replace(from, to);
  }
  const file = join(site.machine.folder, `envoy-${port}.yaml`);
  writeFileSync(file, config);
  const flags = ["--config-path", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const child = site.machine.processes.start(envoy!, flags);
  for (const stream of [child.stdout!, child.stderr!]) stream.resume();
  return { ...variables, ENVOY_ADDR: `127.0.0.1:${port}` };
}

for (const stack of STACKS) {
  const skip = reasonToSkip() || missing(stack) || (stack.heading === "Envoy" && envoy === undefined && "no envoy here");

  describe(`the example for ${stack.heading}`, { skip }, () => {
    let built: Built;
    let site: Site;
    const start = async (spire: Spire, serverId: string): Promise<Example> => {
      const variables = { ...site.variables(spire), COFFER_SERVER_ID: serverId };
      return site.run(built, (await stack.prepare?.({ site, spire, serverId }, variables)) ?? variables);
    };
    before(async () => {
      built = await build(stack);
      site = await Site.start({ ttl: SHORT });
    });
    after(() => site?.end());

    // Every connection ends before the SVID does that it was made with. Calls that go on after that have a newer one.
    it("puts, gets, reads the reason of an error, and goes on with the next SVIDs", async () => {
      const example = await start(site.spire, site.serverId);
      await example.prints("get", 3);
      assert.deepEqual(example.lines.slice(0, 2), ["put shop/api/db", `error ${stack.notFound} SECRET_NOT_FOUND`]);
      assert.ok(example.lines.slice(2).every((line) => line === "get app"), example.lines.join("\n"));
      const calls = () => site.server.lines("call").filter(({ spiffe_id }) => spiffe_id === API);
      const timeOf = (line: object | undefined) => Date.parse(String((line as { time: string }).time));
      const end = timeOf(calls()[0]) + 3 * SHORT * 1000;
      while (timeOf(calls().at(-1)) < end) await example.prints("get");
      const connections = new Set(calls().map(({ connection }) => connection));
      assert.ok(connections.size >= 3, `${connections.size} connections`);
      await example.stop();
    });

    // The page shows it as it is; without the server's log, nobody would find the reason.
    it("shows what docs/clients.md says when the server refuses it, and the server's log has the reason", async () => {
      const example = await start(await site.foreignSpire(), site.serverId);
      const { code, stderr } = await example.ended;
      assert.notEqual(code, 0);
      assert.deepEqual(example.lines, []);
      const rows = table(page("docs/clients.md"), "Client", "Refused by the server", "Refuses the server");
      const row = rows.find(({ Client }) => Client === stack.heading)!;
      const shown = [...row["Refused by the server"]!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
      assert.ok(shown.some((text) => stderr.includes(text)), stderr);
      const [refused] = site.server.lines("connection refused").filter(({ spiffe_id }) => spiffe_id === FOREIGN);
      assert.equal(refused?.["reason"], "no-bundle");
    });

    it(`${stack.verifiesId ? "refuses" : "can't tell"} a server with another SPIFFE ID`, async () => {
      const example = await start(site.spire, "spiffe://example.org/another");
      if (!stack.verifiesId) return example.prints("put");
      const { code, stderr } = await example.ended;
      assert.notEqual(code, 0);
      assert.deepEqual(example.lines, []);
      const rows = table(page("docs/clients.md"), "Client", "Refused by the server", "Refuses the server");
      const row = rows.find(({ Client }) => Client === stack.heading)!;
      const shown = [...row["Refuses the server"]!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
      assert.ok(shown.some((text) => stderr.includes(text)), stderr);
    });
  });
}
