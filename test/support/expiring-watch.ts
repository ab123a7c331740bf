import type * as wire from "../../src/contract/messages.ts";
import { type Caller, type ServerKit, WEB } from "./server-kit.ts";
import { Watching } from "./watching.ts";

/** For how long the first SVID is valid, in milliseconds. */
const SHORT_MS = 3000;

/** A slow machine does not need an SVID that is valid for this time, in milliseconds. */
const LONG_MS = 400_000;

/** A watch of a caller whose SVID expires soon. */
export interface ExpiringWatch {
  readonly caller: Caller;
  readonly watching: Watching;
}

/**
 * Begins a watch whose caller's SVID expires soon, and waits until `isSeen` is true. On a slow machine, the SVID can expire
 * before that: the next watch has an SVID that is valid for twice as long. Rejects if `isSeen` is never true.
 */
export async function beginExpiringWatch(
  kit: ServerKit,
  request: Partial<wire.WatchRequest>,
  isSeen: () => Promise<boolean> = async () => true,
): Promise<ExpiringWatch> {
  for (let lifetime = SHORT_MS; lifetime < LONG_MS; lifetime *= 2) {
    const caller = kit.callerWith(kit.issue({ id: WEB, notAfter: Date.now() + lifetime }));
    const watching = new Watching(caller, request);
    const hasBegun = await watching.synced().then(
      () => true,
      () => false,
    );
    if (hasBegun && (await isSeen())) return { caller, watching };
    caller.close();
  }
  throw new Error("no watch was seen before its SVID expired");
}
