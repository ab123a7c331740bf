import type { CofferError } from "../domain/errors.ts";

/** A call that stays open until its caller or the server ends it. */
export interface EndableCall {
  /** Ends the call with an error. */
  fail(error: CofferError): void;
}

/** The calls of one connection that stay open. They would keep the connection open, so its end has to end them. */
export class OpenCalls {
  readonly #calls = new Set<EndableCall>();
  #error: CofferError | undefined;

  get count(): number {
    return this.#calls.size;
  }

  /** Adds a call. It ends immediately if the others have been ended. */
  enter(call: EndableCall): void {
    if (this.#error === undefined) this.#calls.add(call);
    else call.fail(this.#error);
  }

  /** Removes a call, if it is present. */
  leave(call: EndableCall): void {
    this.#calls.delete(call);
  }

  /** Ends all calls, and each that is added later. */
  end(error: CofferError): void {
    this.#error = error;
    for (const call of this.#calls) call.fail(error);
  }
}
