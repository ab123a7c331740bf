import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LONG } from "../support/long-form.ts";
import { ConvergenceRun, RunParts } from "./convergence-run.ts";
import { WatchRegistryServer } from "../../src/threads/watch-registry-server.ts";
import { RemoteWatchRegistry } from "../../src/threads/remote-watch-registry.ts";
import type { OpenedWatch, VersionReport } from "../../src/store/watch-registry.ts";

const RUNS = LONG ? 3000 : 150;

/** A broken system has to fail in at least one of this number of runs. */
const CHANCES = 200;

/** Each of these happens in the runs of the correct system. Otherwise they would show little. */
const EVENTS = [
  ...["opened", "closed", "ended before it was registered", "received", "in use", "refused report", "another's report"],
  ...["front ended", "required and made", "required and refused", "put"],
  ...["1 fronts", "3 fronts"],
];

/** Reports that a watch is registered before it is. */
class HastyRegistry extends RemoteWatchRegistry {
  override opened(watch: OpenedWatch, registered: () => void): void {
    super.opened(watch, () => {});
    registered();
  }
}

/** Answers a report before it is recorded. */
class HastyReports extends RemoteWatchRegistry {
  override async report(report: VersionReport): Promise<void> {
    super.report(report).catch(() => {});
  }
}

/** Keeps the watches of a front that has ended. */
class ForgetfulServer extends WatchRegistryServer {
  override close(): void {}
}

// For any order in which threads run, each count contains what was registered or reported before it began, on any front,
// and nothing that began after it had ended. A change that requires convergence is made only if all watchers that were
// registered before it use the newest version at that moment. At the end, the registry is empty.
describe("the registry of the watches of several fronts", () => {
  it("is the same for all fronts and for the store", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= RUNS; seed++) {
      assert.deepEqual(await new ConvergenceRun(seed, seen, new RunParts()).complaints(), [], `seed ${seed}`);
    }
    assert.deepEqual(
      EVENTS.filter((event) => !seen.has(event)),
      [],
      "events that did not happen",
    );
  });

  const broken: readonly (readonly [string, Partial<RunParts>, RegExp])[] = [
    ["a front sends events before its watch is registered", { Remote: HastyRegistry }, /without a registered watch/],
    ["a report is answered before it is recorded", { Remote: HastyReports }, /without an answered report/],
    ["the watches of a front remain when it ends", { Server: ForgetfulServer }, /remain/],
  ];
  for (const [fault, parts, complaint] of broken) {
    it(`fails if ${fault}`, async () => {
      for (let seed = 1; seed <= CHANCES; seed++) {
        const complaints = await new ConvergenceRun(seed, new Set(), { ...new RunParts(), ...parts }).complaints();
        if (!complaints.some((text) => complaint.test(text))) continue;
        return;
      }
      assert.fail(`${CHANCES} runs found nothing`);
    });
  }
});
