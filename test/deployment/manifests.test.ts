import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allPages } from "../support/pages.ts";
import { containerProblems, manifestProblems } from "./kubernetes-schema.ts";
import { containerPartsIn, manifestsIn } from "./manifests.ts";

const pages = allPages();

describe("the manifests in the pages", () => {
  // A misspelled field must be found here, and not when a reader applies the page.
  it("have the fields and types of Kubernetes, and no others", () => {
    const manifests = pages.flatMap((page) => manifestsIn(page).map((manifest) => ({ manifest, path: page.path })));
    assert.ok(manifests.length > 10);
    for (const { manifest, path } of manifests) {
      assert.deepEqual(manifestProblems(manifest), [], `${path}: ${manifest.kind} ${manifest.metadata.name}`);
    }
    assert.deepEqual(pages.flatMap(containerPartsIn).flatMap(containerProblems), []);
  });

  // The check above would not notice a schema that accepts everything.
  it("are refused with a misspelled field, a wrong type, a missing field or an unknown kind", () => {
    const problems = (spec: string) => manifestsIn(pageWith(pod(spec))).flatMap(manifestProblems);
    assert.deepEqual(problems("containers: [{name: a, image: b}]"), []);
    assert.deepEqual(problems("containers: [{name: a, imagee: b}]"), [
      "/spec/containers/0 must NOT have additional properties imagee",
    ]);
    assert.deepEqual(problems("containers: [{name: a, ports: [{containerPort: http}]}]"), [
      "/spec/containers/0/ports/0/containerPort must be integer",
    ]);
    assert.deepEqual(problems("hostname: a"), ["/spec must have required property 'containers'"]);
    const unknown = { apiVersion: "v2", kind: "Pod", metadata: { name: "a" } };
    assert.deepEqual(manifestProblems(unknown), ["there is no schema for v2 Pod"]);
    assert.equal(containerProblems({ readinessProb: {} }).length, 1);
  });

  // In YAML 1.2 this would be the number four hundred, which is not the intended mode.
  it("are parsed as kubectl parses them", () => {
    const [read] = manifestsIn(pageWith("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nmode: 0400"));
    assert.equal(read!["mode"], 0o400);
  });
});

function pod(spec: string): string {
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  ${spec}`;
}

function pageWith(block: string) {
  return { path: "docs/x.md", text: `\`\`\`yaml\n${block}\n\`\`\`\n` };
}
