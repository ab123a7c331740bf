import type { SpiffeId } from "./spiffe-id.ts";

/** The caller of a call. The handshake of its connection proves its identity; nothing in the call itself does. */
export interface Principal {
  readonly id: SpiffeId;
  /** The number of the connection in this process, which log lines contain. */
  readonly connection: number;
}
