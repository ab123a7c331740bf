/**
 * The address of a server, such as `127.0.0.1:8553`, `[::1]:8553`, `coffer.internal:8553` or `unix:/run/coffer.sock`.
 */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The text is not a valid address. `message` describes the problem; the caller adds where the text comes from. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

const UNIX = "unix:";
const TCP = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/;

/**
 * Parses an address. An IPv6 address must be in brackets. Port 0 makes a listener choose a free port. Throws
 * {@link AddressError}.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith(UNIX)) return unixAddress(text.slice(UNIX.length));
  const match = TCP.exec(text)?.groups;
  const host = match?.["v6"] ?? match?.["host"];
  const port = Number(match?.["port"]);
  if (host === undefined || port > 65_535) {
    throw new AddressError(`invalid address ${JSON.stringify(text)}: expected HOST:PORT, [IPV6]:PORT or unix:PATH`);
  }
  return { kind: "tcp", host, port };
}

function unixAddress(path: string): Address {
  if (path === "") throw new AddressError('invalid address "unix:": expected unix:PATH');
  return { kind: "unix", path };
}

/** Formats an address as {@link parseAddress} reads it. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `${UNIX}${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
