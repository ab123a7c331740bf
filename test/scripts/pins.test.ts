import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";

const FOLDER = ".github/workflows";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: { readonly node: readonly string[] } };
  readonly steps: readonly Step[];
}

const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");
  return { name, text, workflow: parse(text) as Workflow };
});
const jobs = workflows.flatMap(({ name, workflow }) =>
  Object.entries(workflow.jobs).map(([job, of]) => ({ name, job, of })),
);
const steps = jobs.flatMap(({ of }) => of.steps);

describe("the workflows", () => {
  // A tag of an action can be moved to other code, as it was with tj-actions/changed-files in 2025; a commit cannot.
  it("pin every action to a commit, and name its release beside it", () => {
    const used = steps.flatMap(({ uses }) => uses ?? []);
    assert.ok(used.length > 5);
    assert.deepEqual(
      used.filter((uses) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(uses)),
      [],
    );
    const lines = workflows.flatMap(({ text }) => text.split("\n").filter((line) => /\buses:/.test(line)));
    assert.equal(lines.length, used.length);
    assert.deepEqual(
      lines.filter((line) => !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
      [],
    );
  });

  // Code of a pull request or of a dependency gets no secret and no token that can write.
  it("let a job write only if it runs no code of the repository", () => {
    for (const { name, text, workflow } of workflows) {
      assert.ok(
        Object.values(workflow.permissions).every((access) => access === "read"),
        name,
      );
      assert.doesNotMatch(text, /secrets\.|pull_request_target|workflow_run/, name);
    }
    const writing = jobs.filter(({ of }) => Object.values(of.permissions ?? {}).includes("write"));
    assert.deepEqual(
      writing.map(({ job }) => job),
      ["attest", "github", "npm"],
    );
    for (const { job, of } of writing) {
      assert.ok(
        of.steps.every(({ uses }) => !uses?.startsWith("actions/checkout@")),
        job,
      );
    }
    const checkouts = steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    assert.ok(checkouts.length > 0 && checkouts.every((step) => step.with?.["persist-credentials"] === false));
  });

  // GitHub inserts expressions into a script before the shell reads it, so the name of a branch could inject a command.
  it("pass values to scripts as variables, never as expressions", () => {
    const scripts = steps.flatMap(({ run }) => run ?? []);
    assert.ok(scripts.length > 0);
    assert.deepEqual(
      scripts.filter((run) => run.includes("${{")),
      [],
    );
  });

  it("run .ci/run for every pull request, on each line of Node that is tested", () => {
    const { workflow } = workflows.find(({ name }) => name === "ci.yml")!;
    assert.ok("pull_request" in workflow.on);
    const job = workflow.jobs["run"]!;
    assert.ok(job.steps.some(({ run }) => run?.endsWith(".ci/run")));
    const tested = readFileSync("scripts/node-lines.mjs", "utf8").matchAll(/^ {2}"(\d+)\.[\d.]+": "sha512-/gm);
    assert.deepEqual(job.strategy?.matrix.node, [...new Set([...tested].map(([, line]) => line))]);
  });
});

describe("the images", () => {
  // A tag of an image can be moved as well. docker-compose.yml explains why the images of SPIRE are an exception.
  it("are pinned by digest, except those of SPIRE", () => {
    const dockerfile = readFileSync("Dockerfile", "utf8");
    const declared = new Map([...dockerfile.matchAll(/^ARG (\w+)=(.+)$/gm)].map(([, name, value]) => [name!, value!]));
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) =>
      base!.replace(/\$\{(\w+)\}/, (_, name: string) => declared.get(name)!),
    );
    const compose = readFileSync("docker-compose.yml", "utf8");
    const others = [...compose.matchAll(/(?:^ +image: |\bFROM |--from=|DISTROLESS: )"?([^\s"]+)/gm)].map(
      ([, image]) => image!,
    );
    assert.equal(bases.length, 3);
    assert.ok(others.length > 4);
    const unpinned = [...bases, ...others].filter((image) => !/@sha256:[0-9a-f]{64}$/.test(image));
    const tagged = ["ghcr.io/spiffe/spire-agent:1.13.3", "ghcr.io/spiffe/spire-server:1.13.3"];
    // coffer-with-shell is built locally and is in no registry.
    assert.deepEqual([...new Set(unpinned)].sort(), ["coffer-with-shell", ...tagged]);
  });
});
