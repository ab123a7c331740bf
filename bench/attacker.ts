import { setTimeout as sleep } from "node:timers/promises";
import { attackByCalls } from "./attack-calls.ts";
import { attackByFrames } from "./attack-frames.ts";
import { attackByHandshakes } from "./attack-handshakes.ts";
import type { Access } from "./access.ts";
import type { Act, Attack, Conduct, Orders } from "./attack.ts";

// A process of attackers: it receives its orders from its parent, sends a count when the attack has begun, and the last
// one when it is to leave.

const ACTS: Readonly<Record<Conduct, (access: Access) => Act>> = {
  none: () => async (effective) => effective(),
  ...attackByHandshakes,
  ...attackByCalls,
  ...attackByFrames,
};

/** How many acts begin together while the attackers gather. */
const BATCH = 50;

/** How long a batch waits for its effect, in milliseconds. A server that holds acts back does not hold the others. */
const PATIENCE_MS = 2000;

const count = { begun: 0, ended: 0 };

process.once("message", ({ attack, access }: Orders) => {
  process.once("message", () => process.send!(count, () => process.exit()));
  void carryOut(attack, ACTS[attack.conduct](access));
});

async function carryOut({ perSecond, atOnce, gathers }: Attack, act: Act): Promise<void> {
  for (let missing = gathers ? atOnce : 1; missing > 0; missing -= BATCH)
    await Promise.race([beginTogether(Math.min(missing, BATCH), act), sleep(PATIENCE_MS)]);
  process.send!(count);
  setInterval(() => {
    if (count.begun - count.ended < atOnce) void begin(act);
  }, 1000 / perSecond);
}

async function beginTogether(acts: number, act: Act): Promise<void> {
  await Promise.all(Array.from({ length: acts }, () => begin(act)));
}

/** Resolves when the act has its effect, or is over without. */
function begin(act: Act): Promise<void> {
  count.begun += 1;
  return new Promise((resolve) => {
    const over = () => {
      count.ended += 1;
      resolve();
    };
    act(resolve).catch(refuseToStarve).finally(over);
  });
}

/** A connection that fails ends the act on it. Without descriptors there is no attack to measure. */
function refuseToStarve({ code }: NodeJS.ErrnoException): void {
  if (code === "EMFILE") process.exit(1);
}
