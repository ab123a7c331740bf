import { dump } from "./dump.ts";
import { freePort } from "./free-port.ts";
import type { ServerProcess, Site } from "./server-process.ts";
import { VerifyingWriter } from "./verifying-writer.ts";
import { Ledger } from "./ledger.ts";

/** The options of {@link handOver}. */
export interface HandOverOptions {
  readonly site: Site;
  /** The data folder that the servers use one after the other. */
  readonly data: string;
  /** The number of replacements. There are more if no call has failed in these: then none was made during a hand-over. */
  readonly times: number;
  /** The number of clients that write during the hand-over, each on its own connection. */
  readonly writers: number;
}

/** The observations of the writers. */
export interface HandOverFindings {
  /** For each replacement, the longest time without a successful call, in milliseconds. */
  readonly gapsMs: readonly number[];
  /** The number of acknowledged changes. */
  readonly acknowledged: number;
  /** Every contradiction between the store and the responses; empty if nothing was lost. */
  readonly lost: readonly string[];
  /** The number of failures of each kind, by code and reason. */
  readonly failures: ReadonlyMap<string, number>;
}

/** How many responses to wait for before each replacement: enough that all writers are active again. */
const ANSWERS_EACH = 200;

// Clients that wait a second before they reconnect, as grpc-js does by default, would hide the time that the server
// takes.
const RECONNECT = { "grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 50 };

/**
 * Rolling updates under load, repeatedly and at one address: a server starts with --lock-wait beside the one that
 * serves, which then gets SIGTERM. Rejects if a server does not start or does not shut down gracefully.
 */
export async function handOver({ site, data, times, writers }: HandOverOptions): Promise<HandOverFindings> {
  const port = await freePort();
  const launch = () => site.launch({ data, flags: ["--listen", `127.0.0.1:${port}`, "--lock-wait", "5m"] });
  const ledger = new Ledger();
  const answers = new Answers();
  const failures = new Map<string, number>();
  const paths = Array.from({ length: writers }, (_, i) => `hand-over/${i}`);
  const callers = paths.map(() => site.caller({ port }, RECONNECT));
  const onFailure = (what: string) => void failures.set(what, (failures.get(what) ?? 0) + 1);
  const onAnswer = () => answers.count();
  const running = paths.map(
    (path, i) => new VerifyingWriter({ caller: callers[i]!, ledger, path, onAnswer, onFailure }),
  );

  let serving = launch();
  await serving.serving();
  let isOver = false;
  const writing = Promise.all(running.map((writer) => writer.run(() => isOver)));
  const gapsMs: number[] = [];
  while (gapsMs.length < times || failures.size === 0) {
    await answers.more(ANSWERS_EACH);
    const next = launch();
    await next.logged("store in use");
    answers.longestGap(); // starts a new measurement
    await replace(serving, next);
    await answers.more(1);
    gapsMs.push(answers.longestGap());
    serving = next;
  }
  await answers.more(ANSWERS_EACH);
  isOver = true;
  await writing;
  const lost = [...running.flatMap(({ complaints }) => complaints), ...ledger.check(await dump(callers[0]!, paths))];
  for (const caller of callers) caller.close();
  await serving.stop();
  return { gapsMs, acknowledged: ledger.acknowledged, lost, failures };
}

async function replace(serving: ServerProcess, next: ServerProcess): Promise<void> {
  const { code, signal } = await serving.stop();
  if (code !== 0) throw new Error(`a server ended with ${code ?? signal}:\n${serving.stderr}`);
  await next.serving();
}

/** The times of successful calls. */
class Answers {
  #count = 0;
  #lastAt = performance.now();
  #longest = 0;
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  count(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#lastAt);
    this.#lastAt = now;
    this.#count += 1;
    if (this.#waiting !== undefined && this.#count >= this.#waiting.count) this.#waiting.resolve();
  }

  /** Resolves after `count` further calls. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { count: this.#count + count, resolve };
    });
  }

  /** The longest time between two successful calls, in milliseconds, since this method was last called. */
  longestGap(): number {
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }
}
