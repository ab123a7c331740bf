/** Where the server listens. mTLS on both. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** `mode`: the permissions of the socket file, such as 0o660. */
  | { readonly kind: "unix"; readonly path: string; readonly mode: number };

/** The address as `--listen` takes it and a gRPC client dials it: `127.0.0.1:8553`, `[::1]:8553`, `unix:/run/coffer.sock`. */
export function showAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
