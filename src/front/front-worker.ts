import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { portOf } from "../threads/port.ts";
import type { NumberedOrder, Report } from "./orders.ts";
import type { FrontThread } from "./remote-front.ts";

/** How a thread for a front is started. */
export interface FrontWorkerOptions<Setup> {
  /** The number of the front, from 0. */
  readonly number: number;
  /** What the front needs. It can contain shared memory, and the ports in `transfer`. */
  readonly setup: Setup;
  readonly transfer: readonly MessagePort[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with the error that ended the thread, or with one that says that it ended without an order. */
  readonly onFault: (error: Error) => void;
}

/** What a front's thread gets: its setup, and its end of the channel of orders and reports. */
export interface FrontStart<Setup> {
  readonly setup: Setup;
  readonly control: MessagePort;
}

/** The compiled entry of the thread. */
const ENTRY = new URL("./front-thread.js", import.meta.url);

/**
 * Starts the thread of a front. It gets no standard input and, of the environment, only the variables that control the
 * debug output of Node and grpc-js. Options of Node are inherited, so they are checked for both at the start of the process;
 * the filter for core dumps belongs to the process as well.
 */
export function startFrontWorker<Setup>(options: FrontWorkerOptions<Setup>): FrontThread {
  const { number, setup, transfer, env, onFault } = options;
  const { port1, port2 } = new MessageChannel();
  const start: FrontStart<Setup> = { setup, control: port2 };
  const worker = new Worker(ENTRY, {
    name: `front ${number + 1}`,
    workerData: start,
    transferList: [port2, ...transfer],
    env: debugVariables(env),
  });
  // What ends the thread is reported once: Node emits "exit" after "error" as well.
  let isEnding = false;
  const fault = (error: Error) => {
    if (!isEnding) onFault(error);
    isEnding = true;
  };
  worker.once("error", (error) => fault(error as Error));
  worker.once("exit", (code) => fault(new Error(`the thread of front ${number + 1} ended with exit code ${code}`)));
  return {
    port: portOf<Report, NumberedOrder>(port1),
    async end() {
      isEnding = true;
      await worker.terminate();
    },
  };
}

function debugVariables(env: FrontWorkerOptions<unknown>["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name === "NODE_DEBUG" || name.startsWith("GRPC_")));
}
