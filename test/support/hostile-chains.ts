import type { HostileCase } from "./hostile-case.ts";
import { ENCODING } from "./hostile-encodings.ts";
import { IDENTITY, PROFILE } from "./hostile-leaves.ts";
import { PATH, UNTRUSTED, WORK } from "./hostile-paths.ts";

/** Chains that must be refused, by what is wrong. */
export const HOSTILE: Readonly<Record<string, readonly HostileCase[]>> = {
  "its SPIFFE ID": IDENTITY,
  "the profile of its leaf": PROFILE,
  "its encoding": ENCODING,
  "its trust anchor": UNTRUSTED,
  "its path to the CA": PATH,
  "the work of its verification": WORK,
};
