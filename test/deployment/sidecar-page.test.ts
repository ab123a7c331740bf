import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { secretsOf } from "../../src/agent/agent-config.ts";
import { readServeConfig } from "../../src/config/read-serve-config.ts";
import { checkPolicy } from "../../src/app/policy-check.ts";
import { type ConnectionConfig, readConnection } from "../../src/cli/client-connection.ts";
import { parseVariableSources } from "../../src/cli/run/variable-source.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { page } from "../support/pages.ts";
import { manifestsIn } from "./manifests.ts";
import { serveFlags } from "./serve-flags.ts";
import { type Container, agentConfigOf, containersOf, environmentOf, workloadsIn } from "./workloads.ts";

/** A container with the fields that only this page uses. */
interface SidecarContainer extends Container {
  readonly restartPolicy?: string;
  readonly command?: readonly string[];
  readonly securityContext: { readonly runAsUser: number };
}

const manifests = manifestsIn(page("docs/sidecar.md"));
const [{ namespace, labels, pod, claims }] = workloadsIn(manifests) as [ReturnType<typeof workloadsIn>[number]];
const [server, secrets, api] = containersOf(pod) as [SidecarContainer, SidecarContainer, SidecarContainer];
const config = readServeConfig(serveFlags(server.args!.slice(1)), environmentOf(server), {
  total: 2 ** 40,
  constrained: 0,
  cpus: 8,
});

const mountOf = ({ volumeMounts = [] }: Container, name: string) =>
  volumeMounts.find((mount) => mount.name === name)?.mountPath;

/** The SPIFFE ID that the page's registration entries give to a container of its pod. */
function idOf(container: Container): string {
  const specs = manifests.filter(({ kind }) => kind === "ClusterSPIFFEID").map(({ spec }) => spec as EntrySpec);
  const [entry, second] = specs.filter(({ workloadSelectorTemplates }) =>
    workloadSelectorTemplates.includes(`k8s:container-name:${container.name}`),
  );
  assert.equal(second, undefined);
  assert.deepEqual(entry!.podSelector.matchLabels, labels);
  return entry!.spiffeIDTemplate
    .replace("{{ .TrustDomain }}", "example.org")
    .replace("{{ .PodMeta.Namespace }}", namespace)
    .replace("{{ .PodSpec.ServiceAccountName }}", pod.serviceAccountName);
}

interface EntrySpec {
  readonly spiffeIDTemplate: string;
  readonly workloadSelectorTemplates: readonly string[];
  readonly podSelector: { readonly matchLabels: object };
}

describe("docs/sidecar.md", () => {
  // With one ID for both, the workload could impersonate Coffer, and Coffer denies a caller with its own ID.
  it("gives Coffer its own ID, which its clients expect", () => {
    const own = idOf(server);
    assert.ok(config.identity.kind === "workload-api");
    assert.deepEqual(config.identity.selection, { kind: "id", id: SpiffeId.parse(own) });
    for (const client of [secrets, api]) {
      assert.equal(`${readConnection({}, environmentOf(client)).serverId}`, own);
      assert.notEqual(idOf(client), own);
    }
    assert.equal(`${readConnection({}, environmentOf(server)).serverId}`, own);
  });

  it("uses the same socket for server, probe and clients", () => {
    const [socket] = config.listen;
    assert.ok(socket?.kind === "unix");
    assert.equal(socket.path, `${mountOf(server, "socket")}/coffer.sock`);
    const address: ConnectionConfig["address"] = { kind: "unix", path: socket.path };
    for (const container of [server, secrets, api]) {
      assert.deepEqual(readConnection({}, environmentOf(container)).address, address);
      assert.equal(mountOf(container, "socket"), mountOf(server, "socket"));
    }
    assert.notEqual(server.securityContext.runAsUser, api.securityContext.runAsUser);
    assert.deepEqual([socket.mode, (pod.securityContext as { fsGroup?: number }).fsGroup], [0o660, 20_000]);
  });

  // The workload starts when the startup probes of both have succeeded.
  it("starts the server first, then the agent, and keeps them running", () => {
    assert.deepEqual(
      pod.initContainers!.map(({ name }) => name),
      ["coffer", "secrets"],
    );
    assert.deepEqual([server.restartPolicy, secrets.restartPolicy], ["Always", "Always"]);
    assert.ok(server.startupProbe);
  });

  it("has an agent that writes to a volume of the workload, and may signal it", () => {
    const { command, config } = agentConfigOf(secrets, pod, manifests);
    assert.equal(command, "agent");
    const { port, path } = secrets.startupProbe!.httpGet;
    assert.deepEqual([port, path], [config.listen?.port, "/readyz"]);
    for (const { place, onChange } of config.targets) {
      assert.equal(place.path, mountOf(secrets, "secrets"));
      assert.equal(place.path, mountOf(api, "secrets"));
      assert.ok(onChange?.kind === "signal" && onChange.receiver.kind === "name");
      assert.ok(
        api.args!.some((word) => word.endsWith(`/${onChange.receiver.kind === "name" && onChange.receiver.name}`)),
      );
    }
    assert.equal((pod as { shareProcessNamespace?: boolean }).shareProcessNamespace, true);
    assert.equal(secrets.securityContext.runAsUser, api.securityContext.runAsUser);
  });

  it("mounts existing volumes at the paths in the server's options", () => {
    const volumes = [...pod.volumes.map(({ name }) => name), ...claims];
    const mounts = containersOf(pod).flatMap(({ volumeMounts = [] }) => volumeMounts);
    assert.deepEqual([...new Set(mounts.map(({ name }) => name))].sort(), volumes.sort());
    assert.ok(config.store.kind === "sqlite");
    assert.equal(config.store.data, mountOf(server, "data"));
    assert.equal(config.store.rootKey, `${mountOf(server, "root-key")}/root.key`);
    assert.equal(config.policy, `${mountOf(server, "policy")}/policy.yaml`);
    assert.equal(config.threads, 1);
    assert.ok(config.maxStoreBytes + 500e6 + config.handshakes.connections * 0.06e6 < 640 * 2 ** 20);
  });

  it("allows the workload to read what the page reads", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-sidecar-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "policy.yaml");
    const { data } = manifests.find(({ kind }) => kind === "ConfigMap") as unknown as { data: Record<string, string> };
    writeFileSync(file, data["policy.yaml"]!);
    const policy = checkPolicy(file, []);
    const separator = api.args!.indexOf("--");
    const [source] = parseVariableSources(api.args!.slice(1, separator));
    const caller = SpiffeId.parse(idOf(api));
    const isAllowed = (action: "read" | "watch", path: string) =>
      policy.decide({ caller, action, path: parseSecretPath(path) }).kind === "allowed";
    assert.ok(isAllowed("read", source!.path));
    const files = agentConfigOf(secrets, pod, manifests).config.targets.flatMap(secretsOf);
    assert.ok(files.length > 0);
    for (const path of files) assert.ok(isAllowed("read", path) && isAllowed("watch", path), path);
    assert.equal(api.command!.at(-1), "run");
  });
});
