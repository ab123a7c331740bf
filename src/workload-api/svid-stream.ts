import { Client, type ClientOptions, credentials, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Endpoint } from "./endpoint.ts";
import { FETCH_X509_SVID } from "./x509-messages.ts";

/** How a stream ended, and whether another attempt could help. `problem` is a sentence for the log. */
export interface StreamEnd {
  readonly kind: "lost" | "refused";
  readonly problem: string;
}

/** What happens on a stream: any number of messages, then one end. */
export interface StreamListener {
  /** The bytes of an X509SVIDResponse, not looked at. */
  readonly onMessage: (bytes: Buffer) => void;
  readonly onEnd: (end: StreamEnd) => void;
}

const OPTIONS: ClientOptions = {
  // Keys travel here: nobody stands between us and the agent.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // A bundle of 10,000 authorities still fits.
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.enable_retries": 0,
  // Milliseconds. An agent that hangs, or a host that vanishes, says nothing. Servers of grpc-go, as SPIRE's agent is one,
  // close a connection on which pings come more often than every five minutes.
  "grpc.keepalive_time_ms": 6 * 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.enable_channelz": 0,
};

/** Workload Endpoint 3: without it a request is refused. A program that is lured into calling does not know to send it. */
const SECURITY_HEADER = { "workload.spiffe.io": "true" };

/**
 * Opens a FetchX509SVID stream (Workload API 5.2.1). It has a channel of its own, which connects at once: one that had
 * failed before would first sit out its own back-off, which knows nothing of ours. Nothing is told any more once the
 * returned function was called.
 */
export function openSvidStream(endpoint: Endpoint, listener: StreamListener): () => void {
  const client = new Client(endpoint.target, credentials.createInsecure(), OPTIONS);
  const metadata = Metadata.fromHttp2Headers(SECURITY_HEADER);
  const call = client.makeServerStreamRequest(FETCH_X509_SVID, passBytes, passBytes, Buffer.alloc(0), metadata);
  let open = true;
  const close = () => {
    open = false;
    call.cancel();
    client.close();
  };
  call.on("data", (bytes: Buffer) => {
    if (open) listener.onMessage(bytes);
  });
  // What it says comes as the status too, but an error that nobody listens for would end the process.
  call.on("error", () => {});
  call.on("status", (end) => {
    if (!open) return;
    close();
    listener.onEnd(describeEnd(end, endpoint));
  });
  return close;
}

/** Decoding is the reader's: here it would turn a message that can't be used into the end of the stream. */
function passBytes(bytes: Buffer): Buffer {
  return bytes;
}

/** Workload Endpoint 6: these two say that the request itself is wrong, and it will be the same next time. */
const HOPELESS: ReadonlySet<status> = new Set([status.INVALID_ARGUMENT, status.UNIMPLEMENTED]);

function describeEnd({ code, details }: StatusObject, { text }: Endpoint): StreamEnd {
  const systemError = UNREACHABLE.exec(details)?.[1];
  if (systemError !== undefined) {
    return { kind: "lost", problem: `the Workload API at ${text} can't be reached: ${systemError}` };
  }
  const kind = HOPELESS.has(code) ? "refused" : "lost";
  return { kind, problem: `the Workload API at ${text} ended the stream with ${status[code]}: ${details}` };
}

/** What grpc-js says of a connection that never was, and in it the operating system's word, such as ENOENT. */
const UNREACHABLE = /^No connection established\..*?\b(E[A-Z]{3,})\b/s;
