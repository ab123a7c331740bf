import { readAgentConfig } from "../../src/agent/config-file.ts";
import type { Labels, Manifest } from "./manifests.ts";

/** The fields of a container that the tests check. A schema checks the others. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources?: { readonly requests: Resources; readonly limits: Resources };
  readonly securityContext?: object;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

type Resources = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}

/** The fields of a volume that the tests check. */
interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

/** The fields of a pod that the tests check. */
export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: object;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

/** A pod, or the template of a StatefulSet. */
export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly pod: PodSpec;
  /** Names of volumes that are created for it. */
  readonly claims: readonly string[];
}

interface SetSpec {
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
}

/** The manifests that run containers. */
export function workloadsIn(manifests: readonly Manifest[]): Workload[] {
  return manifests.flatMap(({ kind, metadata: { name, namespace = "default", labels = {} }, ...rest }) => {
    if (kind === "Pod") return [{ name, namespace, labels, pod: rest["spec"] as PodSpec, claims: [] }];
    if (kind !== "StatefulSet") return [];
    const { template, volumeClaimTemplates } = rest["spec"] as SetSpec;
    const claims = volumeClaimTemplates.map(({ metadata }) => metadata.name);
    return [{ name, namespace, labels: template.metadata.labels, pod: template.spec, claims }];
  });
}

/** All containers of a pod. */
export function containersOf({ initContainers = [], containers }: PodSpec): Container[] {
  return [...initContainers, ...containers];
}

/** The variables of a container. */
export function environmentOf({ env = [] }: Container): Readonly<Record<string, string>> {
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}

/** The configuration that an agent's container gets from its ConfigMap. */
export function agentConfigOf(
  { args = [], volumeMounts = [] }: Container,
  pod: PodSpec,
  manifests: readonly Manifest[],
) {
  const [command, option] = args;
  const { name, mountPath } = volumeMounts.find((mount) => option?.startsWith(`--config=${mount.mountPath}/`))!;
  const file = option!.slice(`--config=${mountPath}/`.length);
  const map = pod.volumes.find((volume) => volume.name === name)?.configMap?.name;
  const found = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === map)!;
  const text = (found["data"] as Readonly<Record<string, string>>)[file]!;
  return { command, text, config: readAgentConfig(file, () => Buffer.from(text)) };
}
