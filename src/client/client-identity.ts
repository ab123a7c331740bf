import { type Address, formatAddress } from "../domain/address.ts";
import type { Timers } from "../domain/timers.ts";
import type { IdentitySnapshot } from "../identity/source.ts";
import { MaterialError } from "../spiffe/material-error.ts";
import { ClientError } from "./client-error.ts";
import { type ConnectionFailure, describeFailure } from "./connection-failure.ts";
import type { ClientSource, OpenIdentity } from "./identity-option.ts";
import { openSource } from "../workload-api/open-source.ts";

/**
 * The identity of a client: a source that is opened with the first call and closed with the client, or one that is open
 * already.
 */
export class ClientIdentity {
  readonly #choice: ClientSource;
  readonly #timers: Timers;
  readonly #onChange: () => void;
  #source: OpenIdentity | undefined;
  #opening: Promise<OpenIdentity> | undefined;
  #close = () => {};

  /** `onChange` is called whenever there is a newer identity. */
  constructor(choice: ClientSource, timers: Timers, onChange: () => void) {
    this.#choice = choice;
    this.#timers = timers;
    this.#onChange = onChange;
    if (choice.kind === "open") this.#follow(choice.source, () => {});
  }

  /** The source; undefined before it is opened, see {@link open}. */
  get source(): OpenIdentity | undefined {
    return this.#source;
  }

  /** Opens the source, once. It may not be ready yet when the promise resolves. */
  open(): Promise<OpenIdentity> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Stops following the identity, and closes the source if the client has opened it. */
  close(): void {
    this.#close();
    this.#close = () => {};
  }

  async #open(): Promise<OpenIdentity> {
    if (this.#choice.kind === "open") return this.#choice.source;
    const source = await openSource(this.#choice, "client", this.#timers);
    return this.#follow(source, () => source.close());
  }

  /** Follows the identity also while the client is idle: otherwise it would keep a connection with a replaced SVID. */
  #follow(source: OpenIdentity, close: () => void): OpenIdentity {
    const stopFollowing = source.onChange(this.#onChange);
    this.#source = source;
    this.#close = () => {
      stopFollowing();
      close();
    };
    return source;
  }
}

/**
 * The current identity. Throws {@link ClientError} if there is none; `address` is the server to call, for the message.
 */
export function snapshotOf(source: OpenIdentity, address: Address): IdentitySnapshot {
  try {
    return source.snapshot();
  } catch (error) {
    if (!(error instanceof MaterialError)) throw error;
    const failure: ConnectionFailure = { kind: "no-identity", problems: error.problems };
    // A source that has failed no longer looks for an identity, so waiting does not help.
    const code = source.state?.kind === "failed" ? "FAILED_PRECONDITION" : "UNAVAILABLE";
    throw new ClientError(code, describeFailure(failure, formatAddress(address)), { failure }, { cause: error });
  }
}
