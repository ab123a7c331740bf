import { dirname, resolve } from "node:path";
import type { ParsedNode } from "yaml";
import { parseInstance } from "../config/value.ts";
import { MAX_WATCHED } from "../contract/limits.ts";
import { StartRefused } from "../domain/start-refused.ts";
import { SecretDocument } from "../files/secret-document.ts";
import { type AgentConfig, type TargetConfig, secretsOf } from "./agent-config.ts";
import { ConfigFields } from "./config-fields.ts";
import { readTarget } from "./config-target.ts";
import { parseListen } from "./config-values.ts";
import { type ReadText, readMachineFile } from "./read-text.ts";

/** The keys of the file. */
export const CONFIG_KEYS = ["instance", "listen", "targets"];

/**
 * Reads the configuration of the agent: one YAML document, as docs/agent.md describes it, and the templates that it names.
 * Throws {@link StartRefused} with all problems, each with its line and column.
 */
export function readAgentConfig(path: string, read: ReadText = readMachineFile): AgentConfig {
  const document = new SecretDocument(path);
  const root = document.parse(readOrRefuse(path, read));
  if (root === null) document.reject(0, "the file must be a mapping with the key targets");
  const config = root ? configOf(document, root, templatesBeside(path, read)) : undefined;
  const problems = document.problems();
  if (config === undefined || problems.length > 0) throw new StartRefused(problems);
  return config;
}

function readOrRefuse(path: string, read: ReadText): Buffer {
  try {
    return read(path);
  } catch (cause) {
    throw new StartRefused([`${path} ${(cause as Error).message}`], { cause });
  }
}

/** The path of a template file is relative to the configuration. */
function templatesBeside(path: string, read: ReadText): ReadText {
  return (file) => read(resolve(dirname(path), file));
}

function configOf(document: SecretDocument, root: ParsedNode, read: ReadText): AgentConfig | undefined {
  const fields = ConfigFields.read(document, root, "the file", CONFIG_KEYS);
  if (fields === undefined) return undefined;
  const targets = fields.items("targets").flatMap((node): PlacedTarget[] => {
    const target = readTarget(document, node, read);
    return target === undefined ? [] : [{ node, target }];
  });
  checkRepeated(document, targets);
  checkNumber(
    fields,
    targets.map(({ target }) => target),
  );
  return {
    instance: fields.optional("instance", parseInstance),
    listen: fields.optional("listen", parseListen),
    targets: targets.map(({ target }) => target),
  };
}

/** A target and its node in the document. */
interface PlacedTarget {
  readonly node: ParsedNode;
  readonly target: TargetConfig;
}

/** Two targets with one name would have one metric, and two with one place would replace each other's files for ever. */
function checkRepeated(document: SecretDocument, targets: readonly PlacedTarget[]): void {
  const names = new Map<string, string>();
  const places = new Map<string, string>();
  for (const { node, target } of targets) {
    const { name, place } = target;
    if (names.has(name)) document.reject(node, `the name ${name} is repeated`);
    names.set(name, name);
    for (const path of pathsOf(target)) {
      const other = places.get(path);
      if (other !== undefined)
        document.reject(node, `the ${place.kind} ${path} is also written by the target ${other}`);
      places.set(path, name);
    }
  }
}

/** The paths that a target writes, as far as the configuration says. */
function pathsOf({ place, contents }: TargetConfig): readonly string[] {
  if (place.kind === "file" || contents.kind === "keys") return [place.path];
  return [place.path, ...contents.files.map(({ name }) => `${place.path}/${name}`)];
}

/** All secrets are watched by one stream, which the server limits. */
function checkNumber(fields: ConfigFields, targets: readonly TargetConfig[]): void {
  const { size } = new Set(targets.flatMap(secretsOf));
  if (size > MAX_WATCHED)
    fields.reject(`the targets use ${size} secrets, more than ${MAX_WATCHED}; run a second agent`, "targets");
}
