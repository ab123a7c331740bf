import type { Address } from "../domain/address.ts";

/** Where the server listens. mTLS on both. `mode`: the permissions of the socket file, such as 0o660. */
export type ListenAddress =
  | Extract<Address, { kind: "tcp" }>
  | (Extract<Address, { kind: "unix" }> & { readonly mode: number });
