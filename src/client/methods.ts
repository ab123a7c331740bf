import { type Codec, enumeration, message, string } from "../contract/message.ts";
import * as messages from "../contract/messages.ts";

/** One RPC: its path on the wire, and how its messages are read and written. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

function secrets<Request, Response>(
  name: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Method<Request, Response> {
  return { path: `/coffer.v1.Secrets/${name}`, request, response };
}

export const putMethod = secrets("Put", messages.putRequest, messages.putResponse);
export const getMethod = secrets("Get", messages.getRequest, messages.getResponse);
export const deleteMethod = secrets("Delete", messages.deleteRequest, messages.deleteResponse);
export const listMethod = secrets("List", messages.listRequest, messages.listResponse);
export const describeMethod = secrets("Describe", messages.describeRequest, messages.describeResponse);

/** grpc.health.v1.HealthCheckResponse.ServingStatus, by number. Source: grpc/health/v1/health.proto. */
export const SERVING_STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

export type ServingStatus = (typeof SERVING_STATUS)[number];

export const healthMethod: Method<{ readonly service: string }, { readonly status: number }> = {
  path: "/grpc.health.v1.Health/Check",
  request: message<{ readonly service: string }>({ service: string(1, "service") }),
  response: message<{ readonly status: number }>({ status: enumeration(1, "status") }),
};
