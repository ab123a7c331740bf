import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { secretsOf } from "../../src/agent/agent-config.ts";
import type { Action } from "../../src/authorization/action.ts";
import { ENDPOINT_VARIABLE } from "../../src/workload-api/endpoint.ts";
import { readServeConfig } from "../../src/config/read-serve-config.ts";
import { checkPolicy } from "../../src/app/policy-check.ts";
import { serveOptions } from "../../src/config/serve-options.ts";
import { readConnection } from "../../src/cli/client-connection.ts";
import { connectionOptions } from "../../src/cli/connection-options.ts";
import { parseSecretPath } from "../../src/domain/secret-path.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { page } from "../support/pages.ts";
import { memoryNeeded } from "./capacity.ts";
import { containerPartsIn, type Labels, type Manifest, manifestsIn } from "./manifests.ts";
import { serveFlags } from "./serve-flags.ts";
import { type Container, agentConfigOf, containersOf, environmentOf, type Workload, workloadsIn } from "./workloads.ts";

const kubernetes = page("docs/kubernetes.md");
const manifests = manifestsIn(kubernetes);
const workloads = workloadsIn(manifests);

const coffer = workloads.find(({ name }) => name === "coffer")!;
const server = coffer.pod.containers[0]!;
const config = readServeConfig(serveFlags(server.args!.slice(1)), environmentOf(server), {
  total: 2 ** 40,
  constrained: 0,
  cpus: 8,
});

/** The clients on the page: every container with the Coffer image that is not the server. */
const clients = workloads.flatMap((workload) =>
  containersOf(workload.pod)
    .filter(({ image, args }) => image === server.image && args?.[0] !== "serve")
    .map((container) => ({ workload, container })),
);

describe("docs/kubernetes.md", () => {
  // A selector that selects nothing is not an error for Kubernetes.
  it("selects pods by labels that they have", () => {
    const selected = manifests
      .filter(({ kind }) => /^(StatefulSet|Service|NetworkPolicy|PodMonitor|ClusterSPIFFEID)$/.test(kind))
      .map((manifest) => [manifest.kind, manifest.metadata.name, selectedBy(manifest).map(({ name }) => name)]);
    assert.deepEqual(selected, [
      ["ClusterSPIFFEID", "coffer", ["coffer"]],
      ["StatefulSet", "coffer", ["coffer"]],
      ["Service", "coffer-pods", ["coffer"]],
      ["Service", "coffer", ["coffer"]],
      ["NetworkPolicy", "coffer", ["coffer"]],
      ["ClusterSPIFFEID", "coffer-admin", ["admin"]],
      ["ClusterSPIFFEID", "shop", ["api"]],
      ["PodMonitor", "coffer", ["coffer"]],
    ]);
  });

  // A reader who follows the page from the top applies each object to a namespace that exists by then.
  it("creates each namespace before it is used", () => {
    const made = new Set<string>();
    for (const { kind, metadata } of manifests) {
      if (kind === "Namespace") made.add(metadata.name);
      assert.ok(metadata.namespace === undefined || made.has(metadata.namespace), `${kind} ${metadata.name}`);
    }
    assert.deepEqual([...made], ["coffer", "shop"]);
  });

  it("names volumes, objects and ports that exist", () => {
    const named = (kind: string, namespace: string) =>
      manifests
        .filter((other) => other.kind === kind && other.metadata.namespace === namespace)
        .map((o) => o.metadata.name);
    for (const { namespace, pod, claims, name } of workloads) {
      const volumes = [...pod.volumes.map((volume) => volume.name), ...claims];
      const mounts = containersOf(pod).flatMap(({ volumeMounts = [] }) => volumeMounts);
      assert.deepEqual([...new Set(mounts.map((mount) => mount.name))].sort(), volumes.sort(), name);
      const maps = pod.volumes.flatMap(({ configMap }) => configMap?.name ?? []);
      assert.deepEqual(
        maps.filter((map) => !named("ConfigMap", namespace).includes(map)),
        [],
      );
      const secrets = pod.volumes.flatMap(({ secret }) => secret?.secretName ?? []);
      for (const secret of secrets)
        assert.ok(kubernetes.text.includes(`create secret generic ${secret} --from-file=root.key`));
      assert.ok(named("ServiceAccount", namespace).includes(pod.serviceAccountName));
    }
    const ports = server.ports!.map((port) => port.name);
    const used = [...JSON.stringify(manifests).matchAll(/"(?:targetPort|port)":"(\w+)"/g)].map(([, port]) => port!);
    assert.ok(used.length >= 7);
    assert.deepEqual(
      used.filter((port) => !ports.includes(port)),
      [],
    );
    const headless = specOf(manifests.find(({ kind }) => kind === "StatefulSet")!)["serviceName"];
    const service = manifests.find(({ kind, metadata }) => kind === "Service" && metadata.name === headless);
    assert.equal(specOf(service!)["clusterIP"], "None");
  });

  it("names the server's volume in its backup and its restore", () => {
    const [claim] = coffer.claims.map((name) => `${name}-${coffer.name}-0`);
    const snapshot = manifests.find(({ kind }) => kind === "VolumeSnapshot")!;
    const restored = manifests.find(({ kind }) => kind === "PersistentVolumeClaim")!;
    assert.deepEqual(specOf(snapshot)["source"], { persistentVolumeClaimName: claim });
    assert.equal(restored.metadata.name, claim);
    const { name } = specOf(restored)["dataSource"] as Fields;
    assert.equal(name, snapshot.metadata.name);
    assert.ok(kubernetes.text.includes(`volumesnapshot/${name} `));
  });

  // The Pod Security Standard "restricted" requires this, and Coffer needs no more.
  it("gives no container more privileges than it needs", () => {
    for (const { pod, name } of workloads) {
      assert.equal(pod.automountServiceAccountToken, false, name);
      assert.equal(pod.enableServiceLinks, false, name);
      const { runAsNonRoot, seccompProfile } = pod.securityContext as Fields;
      assert.deepEqual(
        { runAsNonRoot, seccompProfile },
        { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      );
      for (const container of containersOf(pod)) {
        const { allowPrivilegeEscalation, capabilities, readOnlyRootFilesystem } = container.securityContext as Fields;
        assert.deepEqual(
          { allowPrivilegeEscalation, capabilities },
          { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        );
        assert.equal(readOnlyRootFilesystem, container.image === server.image ? true : undefined, container.name);
      }
    }
  });
});

describe("the server of docs/kubernetes.md", () => {
  // The page gives a reason for each of these choices, and no schema would notice if one were missing.
  it("is one pod, which is replaced if it never became ready, and published even if its disk is full", () => {
    const { replicas, podManagementPolicy } = specOf(manifests.find(({ kind }) => kind === "StatefulSet")!);
    assert.deepEqual([replicas, podManagementPolicy], [1, "Parallel"]);
    const service = manifests.find(({ kind, metadata }) => kind === "Service" && metadata.name === "coffer")!;
    assert.equal(specOf(service)["publishNotReadyAddresses"], true);
  });

  it("is an unprivileged user, with access to its volume and its key", () => {
    const { runAsUser, runAsGroup, fsGroup } = coffer.pod.securityContext as Fields;
    assert.deepEqual([runAsUser, runAsGroup, fsGroup], [65532, 65532, 65532]);
    const claims = manifests.flatMap((manifest) =>
      manifest.kind === "PersistentVolumeClaim"
        ? [specOf(manifest)]
        : ((specOf(manifest)?.["volumeClaimTemplates"] ?? []) as Manifest[]).map(specOf),
    );
    assert.deepEqual(
      claims.map((claim) => claim["accessModes"]),
      [["ReadWriteOncePod"], ["ReadWriteOncePod"]],
    );
  });

  // A file that is mounted with subPath is never updated.
  it("sees changes of its policy", () => {
    assert.deepEqual(
      server.volumeMounts!.filter((mount) => Object.hasOwn(mount, "subPath")),
      [],
    );
  });

  it("is scraped with the job name of the alerts", () => {
    const { jobLabel, podMetricsEndpoints } = specOf(manifests.find(({ kind }) => kind === "PodMonitor")!);
    assert.equal(coffer.labels[`${jobLabel}`], "coffer");
    assert.deepEqual(
      (podMetricsEndpoints as Fields[]).map(({ port, path }) => [port, path]),
      [["ops", "/metrics"]],
    );
  });

  it("has its files on mounted volumes", () => {
    const mounted = (name: string) => server.volumeMounts!.find((mount) => mount.name === name)?.mountPath;
    assert.ok(config.store.kind === "sqlite");
    assert.equal(config.store.data, mounted("data"));
    assert.equal(config.store.rootKey, `${mounted("root-key")}/root.key`);
    const [key] = Object.keys(policyData());
    assert.equal(config.policy, `${mounted("policy")}/${key}`);
    assert.ok(config.identity.kind === "workload-api");
    assert.ok(environmentOf(server)[ENDPOINT_VARIABLE]!.startsWith(`unix://${mounted("spiffe")}/`));
  });

  it("listens where Services and probes expect it", () => {
    const ports = new Map(server.ports!.map(({ name, containerPort }) => [name, containerPort]));
    const [address] = config.listen;
    assert.ok(address?.kind === "tcp");
    assert.equal(address.port, ports.get("secrets"));
    assert.equal(config.opsListen!.port, ports.get("ops"));
    assert.deepEqual([address.host, config.opsListen!.host], ["0.0.0.0", "0.0.0.0"]);
    const { startupProbe, livenessProbe, readinessProbe } = server;
    const asked = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe!.httpGet);
    assert.deepEqual(
      asked.map(({ port }) => port),
      ["ops", "ops", "ops"],
    );
    assert.deepEqual(
      asked.map(({ path }) => path),
      ["/livez", "/livez", "/readyz"],
    );
  });

  // SIGKILL loses no acknowledged change, but the next start would have to read the write-ahead log.
  it("has the time to shut down gracefully", () => {
    const drainMs = 10_000;
    const reserveMs = 5000;
    const needed = drainMs + config.shutdownDelayMs + reserveMs;
    assert.ok(coffer.pod.terminationGracePeriodSeconds! * 1000 >= needed);
  });

  // By the formula of docs/operations.md.
  it("has enough memory for its store and its connections", () => {
    const { requests, limits } = server.resources!;
    assert.equal(limits["memory"], requests["memory"]);
    assert.equal(limits["memory"], "1Gi");
    assert.ok(memoryNeeded(config.maxStoreBytes, config.handshakes.connections, config.threads) < 2 ** 30);
  });

  it("has the SPIFFE ID that the clients expect", () => {
    const id = `spiffe://example.org/ns/${coffer.namespace}/sa/${coffer.pod.serviceAccountName}`;
    assert.ok(config.identity.kind === "workload-api");
    assert.deepEqual(config.identity.selection, { kind: "id", id: SpiffeId.parse(id) });
    assert.equal(clients.length, 2);
    for (const { container } of clients) {
      const connection = readConnection({}, environmentOf(container));
      assert.equal(`${connection.serverId}`, id);
      const service = manifests
        .filter(({ kind }) => kind === "Service")
        .find(({ metadata }) => metadata.name === "coffer")!;
      const host = `${service.metadata.name}.${service.metadata.namespace}.svc`;
      assert.deepEqual(connection.address, { kind: "tcp", host, port: 8553 });
    }
    const parts = containerPartsIn(kubernetes) as readonly Container[];
    assert.equal(parts.length, 1);
    for (const part of parts) assert.equal(`${readConnection({}, environmentOf(part)).serverId}`, id);
  });

  // Kubernetes accepts a misspelled variable.
  it("and its clients get only known variables", () => {
    const known = [...Object.values(serveOptions), ...Object.values(connectionOptions)].map(({ variable }) => variable);
    const parts = containerPartsIn(kubernetes) as readonly Container[];
    const given = [server, ...clients.map(({ container }) => container), ...parts].flatMap((one) =>
      Object.keys(environmentOf(one)),
    );
    assert.ok(given.length > 5);
    assert.deepEqual(
      given.filter((name) => name !== ENDPOINT_VARIABLE && !known.includes(name)),
      [],
    );
  });

  it("allows the workload of the page to read, and the admin to do everything", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "coffer-kubernetes-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "policy.yaml");
    writeFileSync(file, policyData()["policy.yaml"]!);
    const policy = checkPolicy(file, config.admins);
    const admin = clients.find(({ workload }) => workload.name === "admin")!;
    const [, path = ""] = admin.container.args!;
    const decide = (name: string, action: Action) => {
      const { workload } = clients.find((client) => client.workload.name === name)!;
      const caller = SpiffeId.parse(
        `spiffe://example.org/ns/${workload.namespace}/sa/${workload.pod.serviceAccountName}`,
      );
      return policy.decide({ caller, action, path: parseSecretPath(path) }).kind;
    };
    assert.equal(decide("admin", "write"), "allowed");
    assert.equal(decide("api", "read"), "allowed");
    assert.equal(decide("api", "watch"), "allowed");
    assert.equal(decide("api", "write"), "denied");
    // The workload reads what the admin writes.
    assert.deepEqual(agentOfWorkload().config.targets.flatMap(secretsOf), [path]);
  });

  it("has an agent that writes to a volume of the workload, and may signal it", () => {
    const { workload, container } = clients.find((client) => client.workload.name === "api")!;
    const { command, config: agent } = agentOfWorkload();
    assert.equal(command, "agent");
    const { port, path } = container.startupProbe!.httpGet;
    assert.deepEqual([port, path], [agent.listen?.port, "/readyz"]);
    const mounts = containersOf(workload.pod).map(({ volumeMounts = [] }) =>
      volumeMounts.find(({ name }) => name === "secrets"),
    );
    for (const mount of mounts) assert.equal(mount?.mountPath, agent.targets[0]!.place.path);
    assert.equal((workload.pod as { shareProcessNamespace?: boolean }).shareProcessNamespace, true);
  });
});

function agentOfWorkload() {
  const { workload, container } = clients.find((client) => client.workload.name === "api")!;
  return agentConfigOf(container, workload.pod, manifests);
}

function policyData(): Readonly<Record<string, string>> {
  return manifests.find(({ kind }) => kind === "ConfigMap")!["data"] as Readonly<Record<string, string>>;
}

type Fields = Readonly<Record<string, unknown>>;

function specOf(manifest: Manifest): Fields {
  return manifest["spec"] as Fields;
}

interface Selector {
  readonly matchLabels: Labels;
}

/** The workloads that a manifest selects by their labels, in its own namespace or in the one that it selects. */
function selectedBy(manifest: Manifest): Workload[] {
  const { selector, podSelector, namespaceSelector } = specOf(manifest) as Readonly<Record<string, Selector | Labels>>;
  const found = (podSelector ?? selector)!;
  const wanted = "matchLabels" in found ? (found as Selector).matchLabels : (found as Labels);
  const namespace = (namespaceSelector as Selector | undefined)?.matchLabels["kubernetes.io/metadata.name"];
  return workloads
    .filter((workload) => workload.namespace === (namespace ?? manifest.metadata.namespace))
    .filter(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
}
