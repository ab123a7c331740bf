import { Client, type ClientOptions, credentials, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Timers } from "../domain/timers.ts";
import type { Endpoint } from "./endpoint.ts";
import { FETCH_X509_SVID } from "./x509-messages.ts";

/** How a stream ended. "lost": another attempt can help; "refused": it can't. `problem` is a sentence for the log. */
export interface StreamEnd {
  readonly kind: "lost" | "refused";
  readonly problem: string;
}

/** Receives the events of a stream: any number of messages, then one end. */
export interface StreamListener {
  /** Called with the undecoded bytes of an X509SVIDResponse. */
  readonly onMessage: (bytes: Buffer) => void;
  readonly onEnd: (end: StreamEnd) => void;
}

const OPTIONS: ClientOptions = {
  // The stream carries private keys, so it must not pass through a proxy.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // Enough for a bundle of 10,000 CAs.
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.enable_retries": 0,
  // Milliseconds. Keepalive detects an agent that hangs and a host that disappears. grpc-go servers such as SPIRE's
  // agent close a connection with more than one ping in five minutes.
  "grpc.keepalive_time_ms": 6 * 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
};

/** Workload Endpoint 3: a request without this header is refused. It prevents server-side request forgery. */
const SECURITY_HEADER = { "workload.spiffe.io": "true" };

/**
 * How long a stream may stay without its first message, in milliseconds. The agent of SPIRE answers immediately, except that
 * its Kubernetes attestor waits up to 30 seconds for the status of a new pod.
 *
 * grpc-js may never report the end of such a stream: if the peer resets it with NO_ERROR while the request is sent, node:http2
 * before Node 26 does not close it. The source would wait while its SVID expires.
 */
const FIRST_MESSAGE_MS = 120_000;

/**
 * Opens a FetchX509SVID stream (Workload API 5.2.1). It uses a new channel, which connects immediately: a channel that
 * failed before would first wait for its own back-off, in addition to that of the source. The returned function closes
 * the stream; the listener is not called after that.
 */
export function openSvidStream(
  endpoint: Endpoint,
  timers: Pick<Timers, "delay">,
  listener: StreamListener,
): () => void {
  const client = new Client(endpoint.target, credentials.createInsecure(), OPTIONS);
  const metadata = Metadata.fromHttp2Headers(SECURITY_HEADER);
  const call = client.makeServerStreamRequest(FETCH_X509_SVID, passBytes, passBytes, Buffer.alloc(0), metadata);
  let open = true;
  const close = () => {
    open = false;
    stopWaiting();
    call.cancel();
    client.close();
  };
  const end = (reason: StreamEnd) => {
    if (!open) return;
    close();
    listener.onEnd(reason);
  };
  const stopWaiting = timers.delay(FIRST_MESSAGE_MS, () => end(unanswered(endpoint)));
  call.on("data", (bytes: Buffer) => {
    stopWaiting();
    if (open) listener.onMessage(bytes);
  });
  // The "status" event reports the same, but an error event without a listener would end the process.
  call.on("error", () => {});
  call.on("status", (status) => end(describeEnd(status, endpoint)));
  return close;
}

/** The listener decodes messages. Decoding them here would end the stream for a malformed message. */
function passBytes(bytes: Buffer): Buffer {
  return bytes;
}

/** Workload Endpoint 6: these two codes mean that the request itself is wrong, so repeating it does not help. */
const NOT_RETRYABLE: ReadonlySet<status> = new Set([status.INVALID_ARGUMENT, status.UNIMPLEMENTED]);

function unanswered({ text }: Endpoint): StreamEnd {
  return { kind: "lost", problem: `the Workload API at ${text} sent nothing for ${FIRST_MESSAGE_MS / 1000} seconds` };
}

function describeEnd({ code, details }: StatusObject, { text }: Endpoint): StreamEnd {
  const systemError = UNREACHABLE.exec(details)?.[1];
  if (systemError !== undefined) {
    return { kind: "lost", problem: `the Workload API at ${text} can't be reached: ${systemError}` };
  }
  const kind = NOT_RETRYABLE.has(code) ? "refused" : "lost";
  return { kind, problem: `the Workload API at ${text} ended the stream with ${status[code]}: ${details}` };
}

/**
 * The message of grpc-js for a connection that could not be established, with the operating system's error, such as
 * ENOENT.
 */
const UNREACHABLE = /^No connection established\..*?\b(E[A-Z]{3,})\b/s;
