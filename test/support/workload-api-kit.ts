import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IdentitySnapshot, IdentityState } from "../../src/identity/source.ts";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import type { Selection } from "../../src/workload-api/selection.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";
import { ManualTimers } from "./manual-timers.ts";
import { SpireDomain } from "./spire-domain.ts";
import { WorkloadApiServer } from "./workload-api-server.ts";

/**
 * A Workload API of two trust domains, and sources that use it. The sockets, HTTP/2 and certificates are real; only the
 * clock is the test's. Nothing sleeps: a test waits for a state of a source, and checks that something does not happen
 * by waiting for a later message that must arrive.
 */
export class WorkloadApiKit {
  readonly timers = new ManualTimers(Date.parse("2026-03-01T12:00:00Z"));
  readonly example = new SpireDomain("example.org", this.timers.clock);
  readonly other = new SpireDomain("other.org", this.timers.clock);
  readonly server: WorkloadApiServer;
  readonly #folder: string;
  readonly #sources: WorkloadApiSource[] = [];

  private constructor(server: WorkloadApiServer, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  static async start(): Promise<WorkloadApiKit> {
    const folder = mkdtempSync(join(tmpdir(), "coffer-workload-api-"));
    return new WorkloadApiKit(await WorkloadApiServer.start(join(folder, "agent.sock")), folder);
  }

  async close(): Promise<void> {
    for (const source of this.#sources) source.close();
    await this.server.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** A source whose retry delays have no random part. */
  open(selection: Selection = { kind: "default" }, endpoint = this.server.endpoint): WorkloadApiSource {
    const source = WorkloadApiSource.open({
      endpoint: parseEndpoint(endpoint),
      selection,
      purpose: "server",
      timers: this.timers,
      random: () => 0,
    });
    this.#sources.push(source);
    return source;
  }

  /** Advances to the next task that is due, such as the next attempt. Returns the milliseconds until then. */
  advanceToNext(): number {
    const [pause] = this.timers.pauses;
    assert.ok(pause !== undefined, "nothing is waiting");
    this.timers.advance(pause);
    return pause;
  }
}

/** The source's state, as soon as it matches. */
export function stateOf(
  source: WorkloadApiSource,
  isWanted: (state: IdentityState) => boolean,
): Promise<IdentityState> {
  return new Promise((resolve) => {
    const look = (state: IdentityState) => {
      if (!isWanted(state)) return;
      stop();
      resolve(state);
    };
    const stop = source.onState(look);
    look(source.state);
  });
}

/** The source's state, as soon as it has such a problem. */
export function stateWithProblem(source: WorkloadApiSource, problem: RegExp): Promise<IdentityState> {
  return stateOf(source, ({ problems }) => problem.test(problems.join("\n")));
}

/** The source's snapshot, as soon as it has this number; a higher number is a failure. */
export async function generation(source: WorkloadApiSource, wanted: number): Promise<IdentitySnapshot> {
  await stateOf(source, (state) => state.kind === "ready" && state.snapshot.generation >= wanted);
  assert.equal(source.snapshot().generation, wanted);
  return source.snapshot();
}

/** The SPIFFE ID of a snapshot. */
export function idOf({ svid }: IdentitySnapshot): string {
  return `${svid.id}`;
}
