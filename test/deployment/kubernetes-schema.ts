import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import type { Manifest } from "./manifests.ts";

const { kinds, definitions } = JSON.parse(readFileSync("test/vectors/kubernetes.json", "utf8")) as {
  /** The definition for each "apiVersion kind". */
  readonly kinds: Readonly<Record<string, string>>;
  readonly definitions: object;
};

const CONTAINER = "io.k8s.api.core.v1.Container";

const ajv = new Ajv({ allErrors: true, strict: false }).addSchema({ definitions }, "kubernetes");

/** What an API server with strict field validation would refuse: unknown fields, wrong types, missing fields. */
export function manifestProblems(manifest: Manifest): string[] {
  const name = `${manifest.apiVersion} ${manifest.kind}`;
  const definition = kinds[name];
  return definition === undefined ? [`there is no schema for ${name}`] : problemsBy(definition, manifest);
}

/** Like {@link manifestProblems}, for fields of a container. */
export function containerProblems(part: object): string[] {
  return problemsBy(CONTAINER, { name: "any", ...part });
}

function problemsBy(definition: string, value: object): string[] {
  const validate = ajv.getSchema(`kubernetes#/definitions/${definition}`)!;
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath} ${message} ${params["additionalProperty"] ?? ""}`.trim(),
  );
}
