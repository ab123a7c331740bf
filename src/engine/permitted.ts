import type { Content } from "../domain/content.ts";
import type { SecretPath } from "../domain/secret-path.ts";
import type { ConvergenceDemand, Expiry, Guard, OperationCommand, SettingsUpdate } from "../store/command.ts";
import type { Principal } from "../spiffe/principal.ts";
import { encodeContent } from "../store/content-format.ts";
import type { Permit } from "./permits.ts";

/** A class, so that no other module can create an object of this type. */
class Permitted<Command> {
  readonly #command: () => Command;
  readonly caller: Principal;
  readonly path: SecretPath;
  /** The permits from which it was made. */
  readonly permits: readonly Permit[];
  /** The name of its field in the proto's Operation, such as "put"; empty for a guard. */
  readonly kind: string;

  constructor(permit: Permit, kind: string, command: () => Command, ...others: readonly Permit[]) {
    this.caller = permit.caller;
    this.path = permit.path;
    this.permits = [permit, ...others];
    this.kind = kind;
    this.#command = command;
  }

  /**
   * The command for the store. It has a copy of the content, which the store overwrites: create it only to submit it.
   */
  command(): Command {
    return this.#command();
  }
}

/** An operation that its caller may perform. The functions of {@link permitted} create it from permits. */
export type PermittedOperation = Permitted<OperationCommand>;

/** A guard whose secret its caller may read. */
export type PermittedGuard = Permitted<Guard>;

/** The expected version of an operation, or undefined. */
type Expected = number | undefined;

/** Each operation with the permits that it requires. Its secret is that of the permit. */
export const permitted = {
  put(write: Permit<"write">, content: Content, expiry: Expiry, expectedVersion: Expected): PermittedOperation {
    const { path } = write;
    const command = () => ({ kind: "put", path, plaintext: encodeContent(content), expiry, expectedVersion }) as const;
    return new Permitted(write, "put", command);
  },

  patch(
    write: Permit<"write">,
    set: Content,
    removed: readonly string[],
    expectedVersion: Expected,
  ): PermittedOperation {
    const { path } = write;
    const command = () => ({ kind: "patch", path, plaintext: encodeContent(set), removed, expectedVersion }) as const;
    return new Permitted(write, "patch", command);
  },

  changeDeletion(
    permit: Permit<"delete">,
    kind: "delete" | "undelete",
    versions: readonly number[],
    expectedVersion: Expected,
    convergence?: ConvergenceDemand,
  ): PermittedOperation {
    const { path } = permit;
    return new Permitted(permit, kind, () => ({ kind, path, versions, expectedVersion, convergence }));
  },

  destroy(
    permit: Permit<"destroy">,
    versions: readonly number[],
    expectedVersion: Expected,
    convergence?: ConvergenceDemand,
  ): PermittedOperation {
    const { path } = permit;
    const command = () => ({ kind: "destroy", path, versions, expectedVersion, convergence }) as const;
    return new Permitted(permit, "destroy", command);
  },

  /** Also a Restore, whose source and target are the same secret. */
  copy(read: Permit<"read">, version: number, write: Permit<"write">, expectedVersion: Expected): PermittedOperation {
    const { path: source } = read;
    const command = () => ({ kind: "copy", path: write.path, source, version, expectedVersion }) as const;
    return new Permitted(write, "copy", command, read);
  },

  purge(permit: Permit<"destroy">, expectedVersion: Expected): PermittedOperation {
    return new Permitted(permit, "purge", () => ({ kind: "purge", path: permit.path, expectedVersion }));
  },

  metadata(write: Permit<"write">, update: SettingsUpdate, expectedVersion: Expected): PermittedOperation {
    return new Permitted(write, "metadata", () => ({ kind: "metadata", path: write.path, update, expectedVersion }));
  },

  guard(read: Permit<"read">, expectedVersion: number): PermittedGuard {
    return new Permitted(read, "", () => ({ path: read.path, expectedVersion }));
  },
} as const;
