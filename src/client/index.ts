/**
 * Coffer's client for workloads, as `coffer/client`. It loads no native module and nothing of the server.
 *
 * @module
 */
export { CofferClient } from "./coffer-client.ts";
export type { Secret } from "./coffer-client.ts";
export type { CallOptions, ClientOptions, DeleteOptions, GetOptions, PutOptions } from "./client-options.ts";
export type { FilesIdentity, IdentityOption, WorkloadApiIdentity } from "./identity-option.ts";
export type { Values } from "./values.ts";
export { ClientError } from "./client-error.ts";
export type { StatusName } from "./client-error.ts";
export type { ConnectionFailure } from "./connection-failure.ts";
export type { SERVING_STATUS, ServingStatus } from "./methods.ts";
export type { Applied, Reason } from "../contract/reasons.ts";
export type {
  DeleteResponse,
  DescribeResponse,
  ListEntry,
  PutResponse,
  VersionDescription,
} from "../contract/messages.ts";
export { VersionState } from "../contract/messages.ts";
export type { Address } from "../domain/address.ts";
export { Content } from "../domain/content.ts";
export type { ContentEntry } from "../domain/content.ts";
export { SpiffeId } from "../spiffe/spiffe-id.ts";
export { SpiffeIdError } from "../spiffe/spiffe-id-error.ts";
export type { SpiffeIdRule } from "../spiffe/spiffe-id-error.ts";
export type { TrustDomain } from "../spiffe/trust-domain.ts";
export type { SvidRefused, RefusalReason } from "../spiffe/svid-refused.ts";
export type { ErrorMetadata } from "../domain/errors.ts";
