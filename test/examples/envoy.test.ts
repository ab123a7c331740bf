import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ENVOY_INSTALL, findEnvoy } from "../interop/envoy.ts";
import { freePort } from "../support/free-port.ts";
import { FETCH_PYTHON } from "./build.ts";
import type { Variables } from "./site.ts";
import { type Identity, testStack } from "./stack.ts";

const envoy = findEnvoy();

testStack({
  heading: "Envoy",
  folders: ["envoy", "python"],
  copy: "envoy",
  needs: ["python3 -m ensurepip --version"],
  fetch: FETCH_PYTHON,
  lacks: envoy === undefined && `no envoy here; ${ENVOY_INSTALL}`,
  notFound: "NOT_FOUND",
  verifiesId: true,
  prepare: startEnvoy,
});

// Writes the example's configuration with the addresses and names of this site.
async function startEnvoy({ site, spire, serverId }: Identity, variables: Variables): Promise<Variables> {
  const port = await freePort();
  const replaced = {
    "coffer.example.org, port_value: 8553": `127.0.0.1, port_value: ${site.port}`,
    "port_value: 8554": `port_value: ${port}`,
    "spiffe://example.org/coffer": serverId,
    "/run/spire/agent.sock": spire.endpoint.replace("unix:", ""),
    // SPIRE names the bundle of its own trust domain ROOTCA, and any other bundle by its trust domain.
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
