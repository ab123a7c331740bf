import { isIP } from "node:net";

/** Ends of names that can't be registered in the public DNS (RFC 6761, RFC 6762, ICANN's .internal), and Kubernetes'. */
const PRIVATE_ENDS = [".localhost", ".local", ".internal", ".svc"];

/**
 * Whether a request was meant for this server, by the host that it asks for. A web page can have its own name resolve to
 * our address (DNS rebinding), and a browser on this machine then lets it read what we answer; but such a request says
 * the page's name. An address is not a name, and an attacker can own neither a name without a dot nor a private one. `known`
 * are names in lower case. Without a host, as in HTTP/1.0, no browser has asked.
 */
export function isMeantForUs(host: string | undefined, known: ReadonlySet<string>): boolean {
  if (host === undefined) return true;
  const name = withoutPort(host).toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0 || !name.includes(".")) return true;
  return known.has(name) || PRIVATE_ENDS.some((end) => name.endsWith(end));
}

function withoutPort(host: string): string {
  return /^\[(.*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, "");
}
