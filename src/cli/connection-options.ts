import { clientOption as option, DEFAULT_ADDRESS, DEFAULT_OPS_ADDRESS } from "../config/option.ts";
import { selectionOptions } from "../config/identity-choice.ts";

/** The default of --timeout. */
export const DEFAULT_TIMEOUT = "10s";

/** The options of every command that calls a server. */
export const connectionOptions = {
  addr: option("--addr", "<address>", "address of the server: HOST:PORT, [IPV6]:PORT or unix:PATH", {
    standard: DEFAULT_ADDRESS,
  }),
  cert: option("--cert", "<pem>", "your X.509-SVID with its intermediates; without files, the Workload API is used"),
  key: option("--key", "<pem>", "the private key of your SVID"),
  bundle: option("--bundle", "<pem>", "the CA certificates of the server's trust domain, or <trust-domain>=<pem>", {
    repeatable: true,
  }),
  ...selectionOptions(option),
  serverId: option("--server-id", "<spiffe-id>", "the server's SPIFFE ID; nothing is sent to a server with another ID"),
  timeout: option("--timeout", "<duration>", "timeout of each call, such as 500ms, 10s or 5m", {
    standard: DEFAULT_TIMEOUT,
  }),
};

/** The options of `coffer status`. It requests the ops listener, which does not use SVIDs. */
export const statusOptions = {
  opsAddr: option("--ops-addr", "<address>", "the server's --ops-listen, on this machine: HOST:PORT", {
    standard: DEFAULT_OPS_ADDRESS,
  }),
  timeout: option("--timeout", "<duration>", "timeout of the request, such as 500ms, 10s or 5m", {
    standard: DEFAULT_TIMEOUT,
  }),
};
