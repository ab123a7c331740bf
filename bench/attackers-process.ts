import { setTimeout as sleep } from "node:timers/promises";
import { attackByCalls } from "./attack-calls.ts";
import { attackByFrames } from "./attack-frames.ts";
import { attackByHandshakes } from "./attack-handshakes.ts";
import type { Access } from "./access.ts";
import type { Action, Attack, AttackKind, AttackJob } from "./attack.ts";

// The process of the attackers. It receives its job from the parent, sends a count when the attack has started, and
// sends the final count when it is stopped.

const ACTIONS: Readonly<Record<AttackKind, (access: Access) => Action>> = {
  none: () => async (effective) => effective(),
  ...attackByHandshakes,
  ...attackByCalls,
  ...attackByFrames,
};

/**
 * The maximum number of actions that start together. Until the attack counts as started, its actions start in batches of
 * this size.
 */
const BATCH = 50;

/**
 * How long to wait for the effect of a batch, in milliseconds, so that a server that delays one batch cannot prevent
 * the following ones.
 */
const TIMEOUT_MS = 2000;

const count = { started: 0, ended: 0 };

process.once("message", ({ attack, access }: AttackJob) => {
  process.once("message", () => process.send!(count, () => process.exit()));
  void carryOut(attack, ACTIONS[attack.kind](access));
});

async function carryOut({ perSecond, atOnce, opensAllFirst }: Attack, action: Action): Promise<void> {
  for (let missing = opensAllFirst ? atOnce : 1; missing > 0; missing -= BATCH)
    await Promise.race([startBatch(Math.min(missing, BATCH), action), sleep(TIMEOUT_MS)]);
  process.send!(count);
  setInterval(() => {
    if (count.started - count.ended < atOnce) void start(action);
  }, 1000 / perSecond);
}

async function startBatch(size: number, action: Action): Promise<void> {
  await Promise.all(Array.from({ length: size }, () => start(action)));
}

/** Resolves when the action is effective or has ended. */
function start(action: Action): Promise<void> {
  count.started += 1;
  return new Promise((resolve) => {
    const end = () => {
      count.ended += 1;
      resolve();
    };
    action(resolve).catch(exitWithoutDescriptors).finally(end);
  });
}

/** A failed connection ends only its action. Without file descriptors there is no attack to measure. */
function exitWithoutDescriptors({ code }: NodeJS.ErrnoException): void {
  if (code === "EMFILE") process.exit(1);
}
