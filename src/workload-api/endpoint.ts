import { isIPv4, isIPv6 } from "node:net";

/** The variable that has the address of the Workload API (SPIFFE Workload Endpoint 4). */
export const ENDPOINT_VARIABLE = "SPIFFE_ENDPOINT_SOCKET";

/** The address of the Workload API (SPIFFE Workload Endpoint 4). */
export interface Endpoint {
  /** The address as it was configured, for messages. */
  readonly text: string;
  /** The address in the form of gRPC's resolvers. */
  readonly target: string;
}

/** The text is not an endpoint. `message` continues a sentence that begins with where the text came from. */
export class EndpointError extends Error {
  override readonly name = "EndpointError";
}

// A longer path does not fit into the operating system's sockaddr_un. Some versions of Node truncate it silently.
const MAX_SOCKET_PATH_BYTES = 107;

// Printable ASCII without the characters that begin a query, a fragment or percent-encoding: a socket must not have two
// spellings.
const PATH = /^\/[!-"$&->@-~]+$/;

// RFC 3986 allows an empty authority to be omitted together with its slashes.
const UNIX = /^unix:(?:\/\/)?(?<path>\/(?!\/).*)$/s;
const TCP = /^tcp:\/\/(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:]*)):(?<port>\d{1,5})$/;

/**
 * Reads the value of SPIFFE_ENDPOINT_SOCKET: `unix:///run/spire/agent.sock` or `tcp://127.0.0.1:8000`. Refuses a host
 * name, because an attacker who controls name resolution could then provide the identity. Throws {@link EndpointError}.
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith("unix:")) return { text, target: `unix:${socketPath(text)}` };
  if (text.startsWith("tcp:")) return { text, target: tcpTarget(text) };
  throw new EndpointError("is neither unix:///PATH nor tcp://IP:PORT");
}

function socketPath(text: string): string {
  const path = UNIX.exec(text)?.groups?.["path"];
  if (path === undefined || !PATH.test(path)) {
    throw new EndpointError("is not unix:///PATH with an absolute path of printable characters, without ? # and %");
  }
  if (path.length > MAX_SOCKET_PATH_BYTES) {
    throw new EndpointError(`has a path of more than ${MAX_SOCKET_PATH_BYTES} bytes, the maximum for a socket`);
  }
  return path;
}

function tcpTarget(text: string): string {
  const { v4 = "", v6 = "", port = "" } = TCP.exec(text)?.groups ?? {};
  const number = Number(port);
  if (number >= 1 && number <= 65_535) {
    if (isIPv4(v4)) return `ipv4:${v4}:${number}`;
    // Without a zone, which gRPC's resolver does not support.
    if (isIPv6(v6) && !v6.includes("%")) return `ipv6:[${v6}]:${number}`;
  }
  throw new EndpointError(
    "is not tcp://IP:PORT with the IP address of a host, not its name, and nothing after the port",
  );
}
