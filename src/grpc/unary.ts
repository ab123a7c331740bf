import { type LeadingField, leadingString } from "../contract/leading-string.ts";
import type { Codec } from "../contract/message.ts";
import { malformedRequest } from "../domain/errors.ts";
import type { Connection } from "../admission/connection.ts";
import { PREFIX_BYTES, writePrefix } from "./framing.ts";
import type { AnswerableCall, AuthorizedRoute } from "./authorized-route.ts";
import type { MethodId } from "./method-id.ts";

/**
 * A method: how its messages are encoded, who may call it, and what it does. `Permit` is the proof that the caller may
 * make the call.
 */
export interface UnaryMethod<Request, Response, Permit> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /**
   * The first field of the request, by which a caller is authorized; undefined if the request names several secrets, each
   * of which `handle` authorizes.
   */
  readonly target: (LeadingField & { readonly of: (request: Request) => string }) | undefined;
  /** Authorizes the caller by the target, or for the call as a whole. Throws if it may not make this call. */
  readonly permit: (caller: Connection, target: string) => Permit;
  /**
   * Whether its answer can be much larger than its request. The call then waits until the caller has read enough of its
   * other answers.
   */
  readonly hasLargeAnswer: boolean;
  /**
   * Performs the call. `isOver` returns whether the caller no longer waits: it has cancelled the call or closed its
   * connection, or the deadline has passed.
   */
  readonly handle: (permit: Permit, request: Request, isOver: () => boolean) => Response | Promise<Response>;
  /** Overwrites the secret values in a request after the call, and in the response after the response is encoded. */
  readonly wipe?: (request: Request, response: Response | undefined) => void;
}

/** The route of a method. */
export function unary<Request, Response, Permit>(
  id: MethodId,
  method: UnaryMethod<Request, Response, Permit>,
): AuthorizedRoute {
  const run = (call: AnswerableCall, message: Buffer) => answer(method, call, message);
  return {
    kind: "authorized",
    method: id,
    target: method.target,
    authorize: (caller, target) => void method.permit(caller, target),
    answer: method.hasLargeAnswer ? (call, message) => call.whenRoom(() => run(call, message)) : run,
  };
}

/** Answers a call. This is the only place that catches the errors of a method. */
function answer<Request, Response, Permit>(
  method: UnaryMethod<Request, Response, Permit>,
  call: AnswerableCall,
  message: Buffer,
): void {
  try {
    respond(method, call, message);
  } catch (error) {
    call.fail(error);
  } finally {
    // The decoded message consists of copies.
    call.wipeRequest();
  }
}

/** Authorizes the caller before it decodes the rest of the request, so that a refused request costs little. */
function respond<Request, Response, Permit>(
  method: UnaryMethod<Request, Response, Permit>,
  call: AnswerableCall,
  message: Buffer,
): void {
  const { target } = method;
  const leading = target === undefined ? "" : leadingString(message, target);
  const permit = method.permit(call.caller, leading);
  const request = method.request.decode(message);
  // In protobuf the last occurrence of a field counts: a caller would be authorized for one secret and get another.
  if (target !== undefined && target.of(request) !== leading)
    throw malformedRequest(`${target.name} occurs twice`, target.name);
  handle(method, call, permit, request);
}

/** Runs the method. Overwrites request and response as soon as they are no longer needed. */
function handle<Request, Response, Permit>(
  method: UnaryMethod<Request, Response, Permit>,
  call: AnswerableCall,
  permit: Permit,
  request: Request,
): void {
  const failed = (error: unknown) => {
    method.wipe?.(request, undefined);
    call.fail(error);
  };
  const succeeded = (response: Response) => {
    try {
      call.succeed(framed(method, request, response));
    } catch (error) {
      failed(error);
    }
  };
  try {
    const response = method.handle(permit, request, () => call.isOver);
    if (response instanceof Promise) void response.then(succeeded, failed).finally(call.retainBudget());
    else succeeded(response);
  } catch (error) {
    failed(error);
  }
}

function framed<Request, Response>(
  { response: codec, wipe }: Pick<UnaryMethod<Request, Response, unknown>, "response" | "wipe">,
  request: Request,
  response: Response,
): Buffer {
  const bytes = codec.encode(response, PREFIX_BYTES);
  writePrefix(bytes);
  wipe?.(request, response);
  return bytes;
}
