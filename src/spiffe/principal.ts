import type { SpiffeId } from "./spiffe-id.ts";

/** Who is calling: proven by the handshake of the connection that the call came on, never by what the call says. */
export interface Principal {
  readonly id: SpiffeId;
  /** The number of the connection in this process, to find its lines in the log. */
  readonly connection: number;
}
