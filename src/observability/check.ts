/** One thing that must be in order before callers are sent here. */
export type Check =
  | { readonly name: string; readonly state: "ok" }
  | { readonly name: string; readonly state: "not ready"; readonly why: string };
