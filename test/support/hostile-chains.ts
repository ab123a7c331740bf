import type { HostileCase } from "./hostile-case.ts";
import { ENCODING } from "./hostile-encodings.ts";
import { IDENTITY, PROFILE } from "./hostile-leaves.ts";
import { PATH, TRUST_IN_WHOM, WORK } from "./hostile-paths.ts";

/** Chains that must be refused, by their defect. */
export const HOSTILE: Readonly<Record<string, readonly HostileCase[]>> = {
  "who it says it is": IDENTITY,
  "what a leaf may be": PROFILE,
  "how it is written": ENCODING,
  "who vouches for it": TRUST_IN_WHOM,
  "the path to the CA": PATH,
  "how much work it is": WORK,
};
