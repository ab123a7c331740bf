// The entry of the thread of a front. No module imports it: front-worker.ts starts the thread with the name of this
// file.
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { processTimers } from "../domain/timers.ts";
import { KeyRecipient, type TransferredKey } from "../sealing/key-transfer.ts";
import { XChaChaSealer } from "../sealing/xchacha-sealer.ts";
import type { FrontSetup } from "./front-setup.ts";
import { startThreadedFront } from "./threaded-front.ts";

if (parentPort === null) throw new Error("this file is the entry of a thread");
const recipient = new KeyRecipient();
const received = once(parentPort, "message");
parentPort.postMessage(recipient.publicKey);
const [key] = (await received) as [TransferredKey];
await startThreadedFront(workerData as FrontSetup, XChaChaSealer.received(key, recipient), processTimers);
