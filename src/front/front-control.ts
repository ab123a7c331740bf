import type { ListenAddress } from "../admission/listener.ts";

/** What the server orders a front to do. A front in another thread carries orders out in the order of the calls. */
export interface FrontControl {
  /** Serves calls. Resolves to the addresses on which it listens. Rejects with ListenRefused. */
  open(): Promise<readonly ListenAddress[]>;

  /** Reports NOT_SERVING to health checks from now on. Calls that arrive are still served. */
  leave(): void;

  /** Refuses every new call with SHUTTING_DOWN. */
  refuseCalls(): void;

  /** Resolves when it accepts no more connections. */
  stopListening(): Promise<void>;

  /**
   * Closes each connection after its last answer. Calls in progress, and calls that cross the GOAWAY on the wire, get
   * `graceMs` milliseconds.
   */
  drain(graceMs: number): Promise<void>;

  /** Resolves when everything that was ordered before has taken effect. */
  settled(): Promise<void>;

  /** Closes every connection immediately, and ends. */
  close(): Promise<void>;
}
