import type {
  AddedVersion,
  MetadataResponse,
  PurgeResponse,
  RemovalRequest,
  VersionsResponse,
} from "../contract/messages.ts";
import {
  type CommitOptions,
  type CopyOptions,
  OptionNames,
  type PutOptions,
  type RemovalOptions,
  type SecretChangeOptions,
  type VersionsOptions,
} from "./call-options.ts";
import type { ClientOptions, InternalOptions } from "./client-options.ts";
import { CofferReader } from "./coffer-reader.ts";
import { commitRequestOf, readCommit } from "./commit-requests.ts";
import { checkOptions } from "./known-options.ts";
import { type Method, methods } from "./methods.ts";
import {
  type ChangeOperation,
  type Committed,
  METADATA_NAMES,
  type MetadataChanges,
  PATCH_NAMES,
  type PatchChanges,
} from "./operations.ts";
import type { Text } from "./request-fields.ts";
import * as requests from "./call-requests.ts";
import type { Values } from "./values.ts";

/**
 * A client of a Coffer server. It authenticates with this workload's X.509-SVID, and calls only a server with the
 * SPIFFE ID `serverId`. It connects with the first call, keeps one connection, and makes a new one when its SVID
 * rotates or the server sends GOAWAY. Calls in flight end on the connection on which they began. Create one client for
 * each process, and close it at the end: an open client keeps the process running. Every method rejects with
 * {@link ClientError}, and the constructor throws it.
 *
 * A change resolves when it is on the server's disk. It has a request_id, with which the client can repeat it if the
 * answer is lost: the server applies it once.
 *
 * @example
 * ```ts
 * import { CofferClient } from "coffer/client";
 *
 * const coffer = new CofferClient({ address: "127.0.0.1:8553", serverId: "spiffe://example.org/coffer" });
 * await coffer.put("shop/api/db", { user: "app", password: "s3cret" });
 * const { content } = await coffer.get("shop/api/db");
 * console.log(content.text("user"));
 * await coffer.close();
 * ```
 */
export class CofferClient extends CofferReader {
  /** Creates a client. Throws {@link ClientError} if an option can't be used, or if no identity is configured. */
  constructor(options: ClientOptions);
  /** @internal */
  constructor(options: InternalOptions);
  constructor(options: InternalOptions) {
    super(options);
  }

  /**
   * Adds a version with these values, which replace all values of the previous version.
   *
   * @example
   * ```ts
   * const { version } = await coffer.put("shop/api/db", { user: "app", password: "s3cret" });
   * // Only if this is still the latest version. The new one expires after a day.
   * await coffer.put("shop/api/db", { user: "app", password: "n3w" }, { expectedVersion: version, ttlMs: 86_400_000 });
   * ```
   */
  async put(path: Text, values: Values, options: PutOptions = {}): Promise<AddedVersion> {
    const request = requests.putRequestOf({ ...checkOptions(options, OptionNames.put), path, values });
    return this.calls.change(methods.put, request, options);
  }

  /**
   * Adds a version that has the content of the newest one with some keys set and others removed. The caller does not
   * have to know, or be allowed to read, the other keys.
   *
   * @example
   * ```ts
   * await coffer.patch("shop/api/db", { set: { password: "n3w", host: "db.example" }, remove: ["user"] });
   * ```
   */
  async patch(path: Text, changes: PatchChanges, options: SecretChangeOptions = {}): Promise<AddedVersion> {
    const { set, remove } = checkOptions(changes, PATCH_NAMES);
    const request = requests.patchRequestOf({ ...checkOptions(options, OptionNames.change), path, set, remove });
    return this.calls.change(methods.patch, request, options);
  }

  /**
   * Deletes versions, the newest by default. Their content is kept until they are destroyed, and `undelete` makes it
   * readable again. The answer lists the versions that this call changed.
   *
   * @example
   * ```ts
   * const { version } = await coffer.get("shop/api/db");
   * const { versions } = await coffer.delete("shop/api/db", { versions: [version] });
   * console.log(versions);
   * ```
   */
  async delete(path: Text, options: RemovalOptions = {}): Promise<VersionsResponse> {
    return this.#remove(methods.delete, path, options);
  }

  /**
   * Makes deleted versions readable again, the newest by default.
   *
   * @example
   * ```ts
   * await coffer.delete("shop/api/db");
   * await coffer.undelete("shop/api/db");
   * ```
   */
  async undelete(path: Text, options: VersionsOptions = {}): Promise<VersionsResponse> {
    const request = requests.versionsRequestOf({ ...checkOptions(options, OptionNames.versions), path });
    return this.calls.change(methods.undelete, request, options);
  }

  /**
   * Removes the content of versions permanently, of the newest by default. The versions stay listed as destroyed. With
   * `requireConverged`, fails with NOT_CONVERGED unless every watcher of the secret uses its newest version, and with
   * `minWatchers` also if the secret has fewer watchers.
   *
   * @example
   * ```ts
   * const { version } = await coffer.get("shop/api/db");
   * await coffer.put("shop/api/db", { user: "app", password: "n3w" });
   * await coffer.destroy("shop/api/db", { versions: [version] });
   * ```
   */
  async destroy(path: Text, options: RemovalOptions = {}): Promise<VersionsResponse> {
    return this.#remove(methods.destroy, path, options);
  }

  /**
   * Adds a version with the content of an older one.
   *
   * @example
   * ```ts
   * const { version } = await coffer.get("shop/api/db");
   * await coffer.put("shop/api/db", { user: "app", password: "mistake" });
   * await coffer.restore("shop/api/db", version);
   * ```
   */
  async restore(path: Text, version: number, options: SecretChangeOptions = {}): Promise<AddedVersion> {
    const request = requests.restoreRequestOf({ ...checkOptions(options, OptionNames.change), path, version });
    return this.calls.change(methods.restore, request, options);
  }

  /**
   * Adds a version to `target` with the content of a version of `source`, the newest by default. The content does not
   * leave the server.
   *
   * @example
   * ```ts
   * await coffer.copy("shop/api/db", "shop/api/db-copy");
   * ```
   */
  async copy(source: Text, target: Text, options: CopyOptions = {}): Promise<AddedVersion> {
    const request = requests.copyRequestOf({ ...checkOptions(options, OptionNames.copy), source, target });
    return this.calls.change(methods.copy, request, options);
  }

  /**
   * Removes a secret: its versions, its history and its settings. While the server keeps a tombstone, a later Put
   * continues the version numbers.
   *
   * @example
   * ```ts
   * const { lastVersion } = await coffer.purge("shop/api/db");
   * console.log(lastVersion);
   * ```
   */
  async purge(path: Text, options: SecretChangeOptions = {}): Promise<PurgeResponse> {
    const request = requests.purgeRequestOf({ ...checkOptions(options, OptionNames.change), path });
    return this.calls.change(methods.purge, request, options);
  }

  /**
   * Changes settings of a secret, which does not have to have a version yet. Those that are left out stay as they are.
   * `describe` returns the settings.
   *
   * @example
   * ```ts
   * await coffer.metadata("shop/api/db", { maxVersions: 5, labels: { team: "shop" }, description: "of the shop" });
   * console.log((await coffer.describe("shop/api/db")).labels);
   * ```
   */
  async metadata(path: Text, changes: MetadataChanges, options: SecretChangeOptions = {}): Promise<MetadataResponse> {
    const { expectedVersion } = checkOptions(options, OptionNames.change);
    const request = requests.metadataRequestOf({ ...checkOptions(changes, METADATA_NAMES), path, expectedVersion });
    return this.calls.change(methods.metadata, request, options);
  }

  /**
   * Makes up to 128 changes, all of them or none, in their order and with one revision. If one is refused, the error's
   * `metadata.operation` is its index. The results have the types of the operations.
   *
   * @example
   * ```ts
   * const { results } = await coffer.commit(
   *   [
   *     { kind: "put", path: "shop/api/db", values: { user: "app", password: "n3w" } },
   *     { kind: "metadata", path: "shop/api/db", labels: { rotated: "yes" } },
   *   ],
   *   { guards: [{ path: "shop/api/lock", expectedVersion: 0 }] },
   * );
   * console.log(results[0].version);
   * ```
   */
  async commit<const Operations extends readonly ChangeOperation[]>(
    operations: Operations,
    options: CommitOptions = {},
  ): Promise<Committed<Operations>> {
    const request = commitRequestOf(operations, checkOptions(options, OptionNames.commit));
    return readCommit(operations, await this.calls.change(methods.commit, request, options));
  }

  #remove(
    method: Method<RemovalRequest, VersionsResponse>,
    path: Text,
    options: RemovalOptions,
  ): Promise<VersionsResponse> {
    const request = requests.removalRequestOf({ ...checkOptions(options, OptionNames.removal), path });
    return this.calls.change(method, request, options);
  }
}
