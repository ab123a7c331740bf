import { type Codec, enumeration, message, string } from "../contract/message.ts";
import * as messages from "../contract/messages.ts";

/** An RPC: its path, and the encoding of its messages. */
export interface Method<Request, Response> {
  readonly path: string;
  /** Whether it concerns secrets. Such a call is not made to a server with the client's own SPIFFE ID. */
  readonly isSecret: boolean;
  /** Whether a call can change the store. The error of such a call states whether it was applied. */
  readonly changes: boolean;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

/** The request of a change. The client sets its request_id when it sends it; empty means none. */
export interface IdentifiedRequest {
  readonly requestId: string;
}

/** coffer.v1.Secrets/`name`, which only reads. */
function reads<Request, Response>(name: string, request: Codec<Request>, response: Codec<Response>) {
  const path = `/coffer.v1.Secrets/${name}`;
  return { path, isSecret: true, changes: false, request, response } satisfies Method<Request, Response>;
}

/** coffer.v1.Secrets/`name`, which changes the store. Without request_id, each repetition is another change. */
function changes<Request extends IdentifiedRequest, Response>(
  name: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> {
  return { ...reads(name, request, response), changes: true };
}

/** The RPCs of coffer.v1.Secrets. */
export const methods = {
  put: changes("Put", messages.putRequest, messages.putResponse),
  patch: changes("Patch", messages.patchRequest, messages.patchResponse),
  delete: changes("Delete", messages.deleteRequest, messages.deleteResponse),
  undelete: changes("Undelete", messages.undeleteRequest, messages.undeleteResponse),
  destroy: changes("Destroy", messages.destroyRequest, messages.destroyResponse),
  restore: changes("Restore", messages.restoreRequest, messages.restoreResponse),
  copy: changes("Copy", messages.copyRequest, messages.copyResponse),
  purge: changes("Purge", messages.purgeRequest, messages.purgeResponse),
  metadata: changes("Metadata", messages.metadataRequest, messages.metadataResponse),
  commit: changes("Commit", messages.commitRequest, messages.commitResponse),
  get: reads("Get", messages.getRequest, messages.getResponse),
  batchGet: reads("BatchGet", messages.batchGetRequest, messages.batchGetResponse),
  /** One page at a time. */
  list: reads("List", messages.listRequest, messages.listResponse),
  describe: reads("Describe", messages.describeRequest, messages.describeResponse),
  /** A stream. */
  watch: reads("Watch", messages.watchRequest, messages.watchResponse),
  report: reads("Report", messages.reportRequest, messages.reportResponse),
};

/** grpc.health.v1.HealthCheckResponse.ServingStatus, by number. Source: grpc/health/v1/health.proto. */
export const SERVING_STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

/** The name of one status. */
export type ServingStatus = (typeof SERVING_STATUS)[number];

/**
 * grpc.health.v1.Health/Check. An empty `service` asks for the server as a whole; `status` is an index into
 * {@link SERVING_STATUS}.
 */
export const healthMethod: Method<{ readonly service: string }, { readonly status: number }> = {
  path: "/grpc.health.v1.Health/Check",
  isSecret: false,
  changes: false,
  request: message<{ readonly service: string }>({ service: string(1, "service") }),
  response: message<{ readonly status: number }>({ status: enumeration(1, "status") }),
};
