import { isIP } from "node:net";

/**
 * Suffixes that can't be registered in the public DNS (RFC 6761, RFC 6762, ICANN's .internal), and that of Kubernetes.
 */
const PRIVATE_ENDS = [".localhost", ".local", ".internal", ".svc"];

/**
 * Whether the Host header of a request can be a name of this server. A web page can make its own name resolve to the
 * server's address (DNS rebinding), and a browser on this machine would then let the page read the responses. Such a
 * request has the page's name in its Host header. IP addresses, names without a dot and private names are accepted,
 * because an attacker can't own them. `known` are further names, in lower case. A request without a host, as in
 * HTTP/1.0, does not come from a browser.
 */
export function isOwnHost(host: string | undefined, known: ReadonlySet<string>): boolean {
  if (host === undefined) return true;
  const name = withoutPort(host).toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0 || !name.includes(".")) return true;
  return known.has(name) || PRIVATE_ENDS.some((end) => name.endsWith(end));
}

function withoutPort(host: string): string {
  return /^\[(.*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, "");
}
