import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../src/domain/timers.ts";
import { PATIENT } from "../support/cli-caller.ts";
import { coffer, type Ran, type Serving, serving } from "../support/cli-kit.ts";
import { FILE_DELIVERIES } from "../support/file-delivery.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { until } from "../support/until.ts";
import { WorkloadApiServer } from "../support/workload-api-server.ts";
import { page } from "../support/pages.ts";
import { containerPartsIn, manifestsIn } from "./manifests.ts";
import { type Container, agentConfigOf, containersOf, environmentOf, workloadsIn } from "./workloads.ts";

const kubernetes = page("docs/kubernetes.md");
const manifests = manifestsIn(kubernetes);
const workloads = workloadsIn(manifests);
const deliver = FILE_DELIVERIES["Kubernetes, by the link ..data"]!;
const SECRET = "s3cret, as it is";

const folder = mkdtempSync(join(tmpdir(), "coffer-kubernetes-"));
const memory = mkdtempSync("/dev/shm/coffer-kubernetes-");
const spire = new SpireDomain("example.org", systemClock);
const agents: WorkloadApiServer[] = [];

/**
 * Follows the page on this machine: each container is a process with the arguments and variables of the page. The volumes
 * that a kubelet mounts are below a folder of the test, and each container has a Workload API with the SVID of its
 * service account.
 */
describe("docs/kubernetes.md, followed", () => {
  let server: Serving;

  before(async () => {
    mountRootKey(await coffer(["root-key", "--out", below("root.key")]));
    deliver(below("/etc/coffer/policy/policy.yaml"), policy());
    mountVolume();
    server = serving(here(container("coffer")), { env: await environment("coffer") });
    await server.server.serving();
  });

  after(async () => {
    await server.server.stop();
    for (const agent of agents) await agent.close();
    for (const path of [folder, memory]) rmSync(path, { recursive: true });
  });

  it("has a server that its probe finds healthy", async () => {
    const [part] = containerPartsIn(kubernetes) as [Container & { readinessProbe: { exec: { command: string[] } } }];
    const [node, program, ...command] = part.readinessProbe.exec.command;
    assert.deepEqual([node, program], ["/usr/local/bin/node", "/app/dist/src/main.js"]);
    const env = { ...(await environment("coffer", part)), ...PATIENT, COFFER_ADDR: address() };
    assert.deepEqual(shown(await coffer(command, { env })), { code: 0, stdout: "SERVING\n" });
  });

  // The order of the page is not important to the agent: it waits for the secret.
  it("has an admin who writes the first secret, and a workload whose agent gets it and each new version", async () => {
    const agent = serving(["agent", `--config=${agentConfig()}`], { env: await clientOf("api") });
    await agent.server.logged("target waits");
    const put = async (input: string) => {
      const { code, stderr } = await coffer(here(container("admin")), { env: await clientOf("admin"), input });
      assert.equal(code, 0, stderr);
    };
    await put(SECRET);
    // The page's program does not run here, so there is no process to signal.
    await agent.server.logged("no process to signal");
    const file = join(memory, "password");
    assert.equal(readFileSync(file, "utf8"), SECRET);
    assert.equal(statSync(file).mode & 0o777, 0o400);
    await put(`${SECRET}-2`);
    await until("the new version is in the file", () => readFileSync(file, "utf8") === `${SECRET}-2`);
    assert.deepEqual(await agent.server.stop(), { code: 0, signal: null });
  });

  // Shows that the result of the test above depends on the policy.
  it("allows the workload only what the page's policy says", async () => {
    const denied = await coffer(["put", "shop/api/db", "user=app"], { env: await clientOf("api") });
    assert.equal(denied.code, 4, denied.stderr);
  });

  async function clientOf(name: string) {
    return { ...(await environment(name)), ...PATIENT, COFFER_ADDR: address() };
  }

  function address(): string {
    return `127.0.0.1:${server.server.port}`;
  }
});

function workload(name: string) {
  return workloads.find((candidate) => candidate.name === name)!;
}

/** The first container with the Coffer image. */
function container(name: string): Container {
  return containersOf(workload(name).pod)[0]!;
}

/** A path of a container, below the folder of the test. */
function below(path: string): string {
  return join(folder, path);
}

/** The arguments, with mounts below the folder of the test, and free addresses. */
function here({ args = [], volumeMounts = [] }: Container): string[] {
  const moved = (text: string) =>
    volumeMounts.reduce((before, { mountPath }) => before.replace(`=${mountPath}`, `=${below(mountPath)}`), text);
  return args.map((text) => moved(text).replace(/=0\.0\.0\.0:\d+$/, "=127.0.0.1:0"));
}

/** The variables of the pod's container, with a Workload API that responds as SPIRE would respond to this pod. */
async function environment(name: string, given: Container = container(name)) {
  const { namespace, pod } = workload(name);
  const agent = await WorkloadApiServer.start(below(`agent-${agents.length}.sock`));
  agents.push(agent);
  agent.send(response([spire.issue(`/ns/${namespace}/sa/${pod.serviceAccountName}`)]));
  return { ...environmentOf(given), SPIFFE_ENDPOINT_SOCKET: agent.endpoint };
}

/** The file of the agent's ConfigMap, with the volume below the folder in memory of the test, and a free port. */
function agentConfig(): string {
  const { text, config } = agentConfigOf(container("api"), workload("api").pod, manifests);
  const { path } = config.targets[0]!.place;
  const file = below("agent.yaml");
  writeFileSync(file, text.replace(path, memory).replace(/listen: .*/, "listen: 127.0.0.1:0"));
  return file;
}

function policy(): string {
  const { data } = manifests.find(({ kind }) => kind === "ConfigMap") as unknown as { data: Record<string, string> };
  return data["policy.yaml"]!;
}

/**
 * Mounts the root key with the mode that fsGroup sets. The server accepts a key that its group can read only if root
 * owns the key, so a test without root makes the key private to its owner.
 */
function mountRootKey({ code, stderr }: Ran): void {
  assert.equal(code, 0, stderr);
  const file = below("/etc/coffer/root-key/root.key");
  deliver(file, readFileSync(below("root.key"), "utf8"));
  chmodSync(realpathSync(file), process.getuid!() === 0 ? 0o440 : 0o400);
}

function mountVolume(): void {
  const volume = below("/var/lib/coffer");
  mkdirSync(volume, { recursive: true });
  chmodSync(volume, 0o2770);
}

function shown({ code, stdout, stderr }: Ran) {
  return { code, stdout: stdout.toString(), ...(code === 0 ? {} : { stderr }) };
}
