import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { durationMs } from "./duration.ts";
import type { Healthcheck } from "./image.ts";

/** How the image of a service is built. */
export interface Build {
  /** The text of a Dockerfile inside the compose file; otherwise the repository's Dockerfile is used. */
  readonly inline: string | undefined;
  readonly args: Readonly<Record<string, string>>;
}

/** A named volume of a service. */
interface VolumeMount {
  readonly volume: string;
  readonly target: string;
  readonly isReadOnly: boolean;
}

/** The state of another service that must be reached before a service is started. */
export type Condition = "service_started" | "service_healthy" | "service_completed_successfully";

/** A service, with every key that the file sets. Missing keys come from the image. */
export interface Service {
  readonly name: string;
  /** The name of an image; or how to build one, and its name, which is undefined if only this service uses it. */
  readonly from: { readonly image: string } | { readonly build: Build; readonly tag: string | undefined };
  readonly user: string | undefined;
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes: readonly VolumeMount[];
  /** The contents of files, by their paths in the container. */
  readonly configs: Readonly<Record<string, string>>;
  readonly dependsOn: Readonly<Record<string, Condition>>;
  readonly healthcheck: Partial<Healthcheck>;
  readonly isReadOnly: boolean;
  readonly pid: "host" | "own";
  /** What an engine does when the service ends by itself; "no" by default. */
  readonly restart: "no" | "unless-stopped";
  /** The time between SIGTERM and SIGKILL, in milliseconds. */
  readonly stopGraceMs: number;
}

/** A compose file as this project writes them. */
export interface ComposeFile {
  readonly services: readonly Service[];
  /** The names of its volumes. */
  readonly volumes: readonly string[];
}

/** What every service must set, literally: the processes of these tests are confined in exactly this way. */
const CONFINEMENT = {
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges:true"],
  ulimits: { core: 0 },
};

/**
 * The schema of the Compose specification, from github.com/compose-spec/compose-go v2.16.2, schema/compose-spec.json,
 * Apache-2.0.
 */
const SCHEMA = JSON.parse(readFileSync("test/vectors/compose-spec.json", "utf8"));
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(SCHEMA);

/** All violations of the Compose specification's schema. */
export function schemaProblems(text: string): string[] {
  if (validate(parse(text, { merge: true }))) return [];
  return validate.errors!.map(({ instancePath, message, params }) => {
    return `${instancePath || "/"} ${message} ${JSON.stringify(params)}`;
  });
}

/** Reads a compose file. Throws at a key that these tests do not support, and would otherwise ignore. */
export function readComposeFile(text: string): ComposeFile {
  const { services, volumes, configs } = withoutDollars(parse(text, { merge: true })) as Raw;
  refuseImages(services);
  const read = Object.entries(services).map(([name, raw]) => readService(name, raw, configs));
  return { services: read, volumes: Object.keys(volumes) };
}

/** Parallel builds of one tag can fail, and an image that no registry has must not be pulled. */
function refuseImages(services: Raw["services"]): void {
  const built = Object.values(services).filter(({ build }) => build !== undefined);
  const tags = built.flatMap(({ image }) => image ?? []);
  const twice = tags.find((tag, index) => tags.indexOf(tag) !== index);
  if (twice !== undefined) throw new Error(`${twice} is built twice`);
  for (const [name, { image, build, pull_policy }] of Object.entries(services)) {
    const wanted = !tags.includes(image) ? undefined : build === undefined ? "never" : "build";
    if (pull_policy !== wanted) throw new Error(`${name} has the pull_policy ${pull_policy}, and not ${wanted}`);
  }
}

type Raw = Readonly<Record<"services" | "volumes" | "configs", Readonly<Record<string, RawService>>>>;
// biome-ignore lint/suspicious/noExplicitAny: the schema has checked it.
type RawService = Readonly<Record<string, any>>;

function readService(name: string, raw: RawService, contents: RawService): Service {
  const { cap_drop, security_opt, ulimits, restart = "no", ...rest } = raw;
  const {
    image,
    build,
    pull_policy: _,
    user,
    entrypoint,
    command,
    environment = {},
    volumes = [],
    configs = [],
    ...more
  } = rest;
  const { depends_on = {}, healthcheck, read_only = false, pid = "own", stop_grace_period = "10s", ...unknown } = more;
  refuseOthers(name, unknown);
  if (JSON.stringify({ cap_drop, security_opt, ulimits }) !== JSON.stringify(CONFINEMENT)) {
    throw new Error(`${name} is not confined by ${JSON.stringify(CONFINEMENT)}`);
  }
  // Docker Compose 5.7 refuses this too, and earlier releases fail: Compose copies the content into the container.
  if (read_only && configs.length > 0) throw new Error(`${name} is read_only, and can't be given an inline config`);
  return {
    name,
    from: build === undefined ? { image } : { build: readBuild(name, build), tag: image },
    user,
    entrypoint,
    command,
    environment,
    volumes: volumes.map(readVolume),
    configs: Object.fromEntries(configs.map((config: RawService) => readConfig(name, config, contents))),
    dependsOn: Object.fromEntries(
      Object.entries(depends_on as RawService).map(([other, { condition }]) => [other, condition]),
    ),
    healthcheck: healthcheck === undefined ? {} : readHealthcheck(name, healthcheck),
    isReadOnly: read_only,
    pid,
    restart,
    stopGraceMs: durationMs(stop_grace_period),
  };
}

function readBuild(service: string, build: RawService | string): Build {
  const {
    context = ".",
    args = {},
    dockerfile_inline,
    ...unknown
  } = typeof build === "string" ? { context: build } : build;
  refuseOthers(`the build of ${service}`, unknown);
  if (context !== ".") throw new Error(`${service} is built in ${context}`);
  return { inline: dockerfile_inline, args };
}

function readVolume(text: string): VolumeMount {
  const [volume, target, mode] = text.split(":");
  return { volume: volume!, target: target!, isReadOnly: mode === "ro" };
}

function readConfig(service: string, { source, target, ...unknown }: RawService, contents: RawService) {
  refuseOthers(`a config of ${service}`, unknown);
  return [target, contents[source].content];
}

function readHealthcheck(service: string, raw: RawService): Partial<Healthcheck> {
  const { test, start_period: _, start_interval, ...unknown } = raw;
  refuseOthers(`the healthcheck of ${service}`, unknown);
  if (test[0] !== "CMD") throw new Error(`the healthcheck of ${service} needs a shell`);
  return { test: test.slice(1), startIntervalMs: durationMs(start_interval) };
}

function refuseOthers(where: string, unknown: object): void {
  const [key] = Object.keys(unknown);
  if (key !== undefined) throw new Error(`${where} has ${key}, which these tests do not support`);
}

/** Replaces "$$" by a dollar, as Compose does. Throws at a variable, whose value would depend on the machine. */
function withoutDollars(value: unknown): unknown {
  if (typeof value === "string") {
    if (/(^|[^$])(\$\$)*\$(?!\$)/.test(value)) throw new Error(`a variable in the compose file: ${value}`);
    return value.replaceAll("$$", "$");
  }
  if (Array.isArray(value)) return value.map(withoutDollars);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutDollars(inner)]));
}
