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

function secrets<Request, Response>(
  name: string,
  request: Codec<Request>,
  response: Codec<Response>,
  changes = false,
): Method<Request, Response> {
  return { path: `/coffer.v1.Secrets/${name}`, isSecret: true, changes, request, response };
}

/** coffer.v1.Secrets/Put. Each repetition without `expectedVersion` adds another version. */
export const putMethod = secrets("Put", messages.putRequest, messages.putResponse, true);

/** coffer.v1.Secrets/Get. */
export const getMethod = secrets("Get", messages.getRequest, messages.getResponse);

/** coffer.v1.Secrets/Delete. */
export const deleteMethod = secrets("Delete", messages.deleteRequest, messages.deleteResponse, true);

/** coffer.v1.Secrets/List, one page at a time. */
export const listMethod = secrets("List", messages.listRequest, messages.listResponse);

/** coffer.v1.Secrets/Describe. */
export const describeMethod = secrets("Describe", messages.describeRequest, messages.describeResponse);

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
