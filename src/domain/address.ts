/** Where a server is, as people write it: `127.0.0.1:8553`, `[::1]:8553`, `coffer.internal:8553` or `unix:/run/coffer.sock`. */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The text is no address. `message` completes the sentence that names where the text came from. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

const UNIX = "unix:";
const TCP = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/;

/** Reads an address. An IPv6 address needs its brackets. Port 0, any free one, is for listeners. Throws {@link AddressError}. */
export function parseAddress(text: string): Address {
  if (text.startsWith(UNIX)) return unixAddress(text.slice(UNIX.length));
  const match = TCP.exec(text)?.groups;
  const host = match?.["v6"] ?? match?.["host"];
  const port = Number(match?.["port"]);
  if (host === undefined || port > 65_535) {
    throw new AddressError(`${JSON.stringify(text)} is no address; give HOST:PORT, [IPV6]:PORT or unix:PATH`);
  }
  return { kind: "tcp", host, port };
}

function unixAddress(path: string): Address {
  if (path === "") throw new AddressError("unix: needs the path of a socket");
  return { kind: "unix", path };
}

/** The text that {@link parseAddress} reads. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `${UNIX}${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
