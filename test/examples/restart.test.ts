import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { reasonToSkip } from "../support/programs.ts";
import { type Built, build, missing } from "./build.ts";
import type { Example } from "./example.ts";
import { Site } from "./site.ts";

const GO = {
  heading: "Go",
  folders: ["go"],
  copy: "go-restart",
  needs: ["go version"],
  fetch: "cd examples/go && go mod download",
};

/** The number of concurrent programs. Each repeatedly reads its own secret and puts the next version. */
const PROGRAMS = 4;

/** The number of rounds that each program completes before a restart and after it. */
const ROUNDS = 50;

describe("a restart of the server under load", { skip: reasonToSkip() || missing(GO) }, () => {
  let site: Site;
  let built: Built;
  let examples: readonly Example[];
  const rounds = () => Promise.all(examples.map((example) => example.prints("get", ROUNDS)));
  before(async () => {
    built = await build(GO);
    site = await Site.start();
    // A round may wait for as long as a restart takes on a busy machine.
    const flags = ["-every", "1ms", "-timeout", "10m"];
    examples = Array.from({ length: PROGRAMS }, (_, i) =>
      site.run(built, site.variables(), ...flags, "-path", `shop/api/load-${i}`),
    );
    await rounds();
  });
  after(() => site?.end());

  // An example ends at the first call that fails after all retries. It retries Gets, and also Puts, which is safe
  // because they have a request_id: otherwise a Put that was applied would fail with VERSION_MISMATCH when it is retried.
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`by ${signal} fails no call of the Go example`, async () => {
      for (let i = 0; i < 3; i++) {
        await site.restartServer(signal);
        await rounds();
      }
    });
  }

  it("leaves no error on stderr of the programs", async () => {
    for (const example of examples) {
      const { code, stderr } = await example.stop();
      assert.deepEqual([code, stderr], [0, ""]);
    }
  });
});
