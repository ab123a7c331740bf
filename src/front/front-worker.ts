import process from "node:process";
import { MessageChannel, Worker } from "node:worker_threads";
import type { TransferredKey } from "../sealing/key-transfer.ts";
import { portOf } from "../threads/port.ts";
import type { FrontSetup } from "./front-setup.ts";
import type { NumberedOrder, Report } from "./orders.ts";
import type { FrontThread } from "./remote-front.ts";

/** How a thread for a front is started. */
export interface FrontWorkerOptions {
  readonly setup: Omit<FrontSetup, "control">;
  /** Encrypts the data key to the thread that has the private key. */
  readonly transferKey: (publicKey: Uint8Array) => TransferredKey;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The compiled entry of the thread. */
const ENTRY = new URL("./front-thread.js", import.meta.url);

/** Node would warn of a descriptor that a thread closes and did not open: that of a connection from another thread. */
const trackUnmanagedFds = false;

/**
 * Starts the thread of a front. It gets no standard input, and of the environment only the variables that control the
 * debug output of Node and grpc-js. It inherits the options of Node, so the check of the options at the start of the
 * process covers it. The setting that excludes memory from core dumps applies to all threads. Its heap has the same
 * limit as that of the main thread. An error that ends the thread, and an unexpected end, are thrown here: they end the
 * process.
 */
export function startFrontWorker({ setup, transferKey, env }: FrontWorkerOptions): FrontThread {
  leaveRemovedFolder();
  const { port1, port2 } = new MessageChannel();
  const workerData: FrontSetup = { ...setup, control: port2 };
  const name = `front ${setup.config.number + 1}`;
  const transferList = [port2, setup.feed, setup.registry, ...setup.descriptors.values()];
  const worker = new Worker(ENTRY, { name, workerData, transferList, env: debugVariables(env), trackUnmanagedFds });
  worker.once("message", (publicKey: Uint8Array) => worker.postMessage(transferKey(publicKey)));
  let isEnding = false;
  // An uncaught error ends a process. The other fronts can't replace one whose thread has ended.
  worker.once("error", (error) => {
    throw error;
  });
  worker.once("exit", (code) => {
    if (!isEnding) throw new Error(`the thread of ${name} ended with exit code ${code}`);
  });
  return {
    port: portOf<Report, NumberedOrder>(port1),
    async end() {
      isEnding = true;
      await worker.terminate();
    },
  };
}

function debugVariables(env: FrontWorkerOptions["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name === "NODE_DEBUG" || name.startsWith("GRPC_")));
}

/**
 * Node starts no thread in a working folder that was removed. Changing the working folder breaks no relative path,
 * because the removed folder has no files.
 */
function leaveRemovedFolder(): void {
  try {
    process.cwd();
  } catch {
    process.chdir("/");
  }
}
