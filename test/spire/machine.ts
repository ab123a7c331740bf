import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PROGRAM, type Ran } from "../support/cli-kit.ts";
import { ADMIN, API, type LogLine, POLICY, WEB } from "../support/server-kit.ts";
import { ServerProcess } from "../support/server-process.ts";
import { freePort } from "../support/free-port.ts";
import { Processes } from "../support/processes.ts";
import { type Entry, Spire } from "./spire.ts";
import type { SpireOptions } from "./spire-config.ts";
import type { IdentityLine, WorkloadJob } from "./workload.ts";

/** The server's SPIFFE ID. */
export const COFFER = "spiffe://example.org/coffer";

/** The registration entries, each for a different user. */
export const ENTRIES = {
  coffer: { name: "coffer", id: COFFER, uid: 21_001, dns: ["localhost"] },
  admin: { name: "admin", id: ADMIN, uid: 21_002 },
  api: { name: "api", id: API, uid: 21_003 },
  web: { name: "web", id: WEB, uid: 21_004 },
  partner: { name: "partner", id: "spiffe://other.org/partner", uid: 21_005 },
} as const satisfies Record<string, Entry>;

/** The policy rule of the partner. */
const PARTNER_RULE = `
  - name: partner
    spiffe_ids: [${ENTRIES.partner.id}]
    paths: [shop/api/*]
    actions: [read]
`;

/** A machine with SPIRE, Coffer and workloads, for one test. {@link end} removes everything that it started. */
export class Machine {
  /** A folder that every user may enter. */
  readonly folder = mkdtempSync(join(tmpdir(), "coffer-spire-"));
  readonly processes = new Processes();
  #coffer: ServerProcess | undefined;
  #opsPort = 0;
  readonly #remove = () => rmSync(this.folder, { recursive: true, force: true });

  constructor() {
    chmodSync(this.folder, 0o755);
    process.once("exit", this.#remove);
  }

  /** Starts a SPIRE server and agent in a new folder. */
  async spire(options: SpireOptions = {}): Promise<Spire> {
    return Spire.start(this.processes, mkdtempSync(join(this.folder, "spire-")), options);
  }

  /** Starts `coffer serve` as a separate user. Its identity comes only from `spire`. */
  async startCoffer(spire: Spire): Promise<ServerProcess> {
    const policy = join(this.folder, "policy.yaml");
    writeFileSync(policy, POLICY + PARTNER_RULE);
    this.#opsPort = await freePort();
    const where = ["--listen", "127.0.0.1:0", "--ops-listen", `127.0.0.1:${this.#opsPort}`, "--store", "memory"];
    const child = this.processes.start(
      process.execPath,
      [PROGRAM, "serve", ...where, "--policy", policy, "--admin", ADMIN],
      { uid: ENTRIES.coffer.uid, env: { SPIFFE_ENDPOINT_SOCKET: spire.endpoint } },
    );
    this.#coffer = new ServerProcess(child);
    return this.#coffer;
  }

  /** Returns the status and the body of Coffer's /readyz. */
  async readiness(): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#opsPort}/readyz`);
    return { status: response.status, body: await response.text() };
  }

  /** Runs a command of Coffer as the user of this entry, with an identity from `spire`. */
  command(spire: Spire, { uid }: Entry, ...words: readonly string[]): Promise<Ran> {
    const env = { SPIFFE_ENDPOINT_SOCKET: spire.endpoint, COFFER_ADDR: this.address, COFFER_SERVER_ID: COFFER };
    return this.processes.run(process.execPath, [PROGRAM, ...words], { uid, env });
  }

  /** The address of Coffer. */
  get address(): string {
    return `localhost:${this.#coffer!.port}`;
  }

  /** Starts a program of test/spire as the user of this entry. */
  workload(
    spire: Spire,
    { uid }: Entry,
    program: "rotating-workload" | "svid-keeper",
    pauseMs: number,
  ): WorkloadProcess {
    const file = fileURLToPath(new URL(`${program}.js`, import.meta.url));
    const job: WorkloadJob = { address: this.address, serverId: COFFER, path: "shop/api/load", pauseMs };
    const env = { SPIFFE_ENDPOINT_SOCKET: spire.endpoint };
    const arguments_ = ["--enable-source-maps", file, JSON.stringify(job)];
    return new WorkloadProcess(this.processes.start(process.execPath, arguments_, { uid, env }));
  }

  /** Kills all processes, and removes the folder. */
  async end(): Promise<void> {
    await this.processes.end();
    process.off("exit", this.#remove);
    this.#remove();
  }
}

/** A line that a workload reported, with its time in milliseconds since the epoch. */
type Report = LogLine & { readonly time: number };

/** A workload as a separate process. Its log contains its reports. */
export class WorkloadProcess extends ServerProcess {
  /** The reports of an event, oldest first. */
  reports(event: string): readonly Report[] {
    return this.lines(event) as unknown as Report[];
  }

  /** The reports of its identity, oldest first. */
  get identities(): readonly (IdentityLine & Report)[] {
    return this.lines("identity") as unknown as (IdentityLine & Report)[];
  }

  /** The last report of its identity. */
  get identity(): IdentityLine | undefined {
    return this.identities.at(-1);
  }
}
