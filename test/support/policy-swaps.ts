import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { contentOf } from "./dump.ts";
import type { FileDelivery } from "./file-delivery.ts";
import { API, type Caller, type Outcome } from "./server-kit.ts";
import type { Site } from "./server-process.ts";
import { until } from "./until.ts";

/** A load, and the policies that replace each other during it. */
export interface PolicySwapsOptions {
  readonly site: Site;
  /** How the policy file is replaced. */
  readonly deliver: FileDelivery;
  /** The number of valid policies that are delivered. */
  readonly swaps: number;
  /**
   * The number of calls that begin per second. They do not wait for the responses to earlier calls, except when
   * {@link MOST_IN_PROGRESS} calls are in progress.
   */
  readonly callsPerSecond: number;
}

/** The results of the calls. */
export interface PolicySwapsFindings {
  readonly calls: number;
  /** Decisions that no policy in force during the call could have made. */
  readonly wrong: readonly string[];
  /** Failed calls by code: neither a response nor a denial by the policy. */
  readonly failed: ReadonlyMap<string, number>;
  /** The number of policies that decided a call. The others were replaced before the server read them. */
  readonly setsSeen: number;
}

/** A secret that every policy allows to be read. */
const ALWAYS = "always";

/** The secrets that only the policy with the number `set` allows to be read and listed. */
function secretsOf(set: number): readonly string[] {
  return ["a", "b", "c"].map((name) => `set/${set}/${name}`);
}

/** A complete policy, in rules of one path each, so that a mixture of two policies, or half of one, is noticed. */
function policyText(set: number): string {
  const rules = [ALWAYS, ...secretsOf(set)].map(
    (path) => `  - {name: ${path}, spiffe_ids: [${API}], paths: [${path}], actions: [read, list]}\n`,
  );
  return `rules:\n${rules.join("")}`;
}

/** Invalid files, made from the text of the next policy: no rule of them may come into force. */
const SPOILED: readonly ((text: string) => string)[] = [
  (text) => `${text}  - {}\n`,
  () => "",
  (text) => text.slice(0, -3),
  (text) => text.replace("read, list", "read, lst"),
];

/**
 * How long each file stays before the next one replaces it, in milliseconds, in turn. A server that waits until a file
 * settles reads some of the files and misses others.
 */
const STAYS_MS = [100, 20, 400, 100, 250];

/** A policy whose number is a multiple of this stays until it has decided a call, even if the server is slow. */
const STAYS_UNTIL_SHOWN = 4;

/** The least number of calls for each policy, on average. */
const CALLS_PER_SWAP = 20;

/** The greatest number of calls in progress. More would only wait in the queues of a slow server, and delay all others. */
const MOST_IN_PROGRESS = 200;

/** The number of connections that the calls use, in turn. */
const CONNECTIONS = 4;

/**
 * Replaces the policy of a server repeatedly, with an invalid one before every second one, while calls continue. Every
 * policy is different, so a List shows which policy decided it, and the policies must come in the order of their
 * delivery. The first one, the last one and every fourth one decide a call, unless a decision was wrong.
 */
export async function swapPolicies(options: PolicySwapsOptions): Promise<PolicySwapsFindings> {
  const { site, deliver, swaps, callsPerSecond } = options;
  const file = join(mkdtempSync(join(site.folder, "policy-")), "policy.yaml");
  deliver(file, policyText(0));
  const server = await site.start({ data: `${file}-data`, flags: ["--policy", file] });
  const admin = site.caller(server);
  for (let set = 0; set <= swaps; set++) await put(admin, secretsOf(set));
  await put(admin, [ALWAYS]);
  const callers = Array.from({ length: CONNECTIONS }, () => site.workload(API, server));
  const judge = new Judge();
  const load = new Load(callers, callsPerSecond, judge);
  const running = load.run();
  await replacePolicies((set) => deliver(file, set), swaps, judge);
  await until("enough calls have begun", () => load.begun >= CALLS_PER_SWAP * swaps);
  load.end();
  await running;
  for (const caller of [admin, ...callers]) caller.close();
  await server.stop();
  return { calls: load.begun, wrong: judge.wrong, failed: judge.failed, setsSeen: judge.sets.size };
}

async function put(admin: Caller, paths: readonly string[]): Promise<void> {
  for (const path of paths) assert.equal((await admin.put({ path, ...contentOf(path) })).code, "OK");
}

async function replacePolicies(deliver: (text: string) => void, swaps: number, judge: Judge): Promise<void> {
  await judge.hasShown(0);
  for (let set = 1; set <= swaps; set++) {
    if (set % 2 === 0) {
      deliver(SPOILED[(set / 2) % SPOILED.length]!(policyText(set)));
      await sleep(STAYS_MS[set % STAYS_MS.length]);
    }
    judge.delivered = set;
    deliver(policyText(set));
    if (set % STAYS_UNTIL_SHOWN === 0 || set === swaps) await judge.hasShown(set);
    else await sleep(STAYS_MS[(set + 2) % STAYS_MS.length]);
  }
}

/** Begins calls at an even pace. */
class Load {
  readonly #callers: readonly Caller[];
  readonly #callsPerSecond: number;
  readonly #judge: Judge;
  #begun = 0;
  #isOver = false;

  constructor(callers: readonly Caller[], callsPerSecond: number, judge: Judge) {
    this.#callers = callers;
    this.#callsPerSecond = callsPerSecond;
    this.#judge = judge;
  }

  get begun(): number {
    return this.#begun;
  }

  end(): void {
    this.#isOver = true;
  }

  /** Resolves after end(), when every call has a response. */
  async run(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    const startedAt = performance.now();
    while (!this.#isOver) {
      const due = ((performance.now() - startedAt) / 1000) * this.#callsPerSecond;
      while (this.#begun < due && underWay.size < MOST_IN_PROGRESS) {
        const call: Promise<void> = this.#call().finally(() => underWay.delete(call));
        underWay.add(call);
      }
      await sleep(1);
    }
    await Promise.all(underWay);
  }

  #call(): Promise<void> {
    const number = this.#begun++;
    const caller = this.#callers[number % this.#callers.length]!;
    const kind = Math.floor(number / this.#callers.length) % 3;
    if (kind === 0) return this.#judge.list(caller);
    return kind === 1 ? this.#judge.read(caller) : this.#judge.readAlways(caller);
  }
}

/**
 * Checks that each decision is that of a policy which may be in force: no older than the newest policy that has decided
 * a call, and no newer than the last one that was delivered.
 */
class Judge {
  /** The number of the last policy that was delivered. */
  delivered = 0;
  /** The highest number of a policy that has decided a call. */
  shown = 0;
  readonly sets = new Set<number>();
  readonly wrong: string[] = [];
  readonly failed = new Map<string, number>();

  /** Resolves when the policy with the number `set` has decided a call, or a decision was wrong. */
  async hasShown(set: number): Promise<void> {
    await until(`policy ${set} decides a call`, () => this.sets.has(set) || this.wrong.length > 0);
  }

  /** Checks that a List returns exactly the secrets of one policy. */
  async list(caller: Caller): Promise<void> {
    const least = this.shown;
    const outcome = await caller.list({ prefix: "set/" });
    if (this.#hasFailed(outcome)) return;
    const paths = (outcome.response?.entries ?? []).map(({ path }: { path: string }) => path).join();
    const set = Number(/^set\/(\d+)\//.exec(paths)?.[1]);
    if (paths !== secretsOf(set).join() || set < least || set > this.delivered)
      this.#complain(`List shows ${paths || outcome.code}`, least);
    else this.#show(set);
  }

  /** Checks a Get of a secret that only the last delivered policy allows. */
  async read(caller: Caller): Promise<void> {
    const [least, set] = [this.shown, this.delivered];
    const outcome = await caller.get({ path: secretsOf(set)[1]! });
    if (this.#hasFailed(outcome)) return;
    if (outcome.code === "OK") this.#show(set);
    else if (least === this.delivered) this.#complain(`Get of a secret of policy ${set} is denied`, least);
  }

  async readAlways(caller: Caller): Promise<void> {
    const least = this.shown;
    const outcome = await caller.get({ path: ALWAYS });
    if (!this.#hasFailed(outcome) && outcome.code !== "OK") this.#complain(`Get of ${ALWAYS} is denied`, least);
  }

  #show(set: number): void {
    this.sets.add(set);
    this.shown = Math.max(this.shown, set);
  }

  #complain(what: string, least: number): void {
    this.wrong.push(`${what} while policies ${least} to ${this.delivered} may be in force`);
  }

  #hasFailed({ code, message }: Outcome): boolean {
    if (code === "OK" || code === "PERMISSION_DENIED") return false;
    const what = `${code} ${message}`;
    this.failed.set(what, (this.failed.get(what) ?? 0) + 1);
    return true;
  }
}
