import { clientOption as option, DEFAULT_ADDRESS, DEFAULT_OPS_ADDRESS } from "../config/option.ts";
import { selectionOptions } from "../config/identity-choice.ts";

/** How long a call may take unless --timeout says otherwise. */
export const DEFAULT_TIMEOUT = "10s";

/** The options that every command has that calls a server. */
export const connectionOptions = {
  addr: option("--addr", "<address>", "the server: HOST:PORT, [IPV6]:PORT or unix:PATH", {
    standard: DEFAULT_ADDRESS,
  }),
  cert: option("--cert", "<pem>", "your X.509-SVID, with its intermediates; without files, the Workload API"),
  key: option("--key", "<pem>", "the private key of your SVID"),
  bundle: option("--bundle", "<pem>", "the authorities of the server's trust domain, or <trust-domain>=<pem>", {
    repeatable: true,
  }),
  ...selectionOptions(option),
  serverId: option("--server-id", "<spiffe-id>", "the server's SPIFFE ID; nobody else is sent anything"),
  timeout: option("--timeout", "<duration>", "how long a call may take: 500ms, 10s, 5m", {
    standard: DEFAULT_TIMEOUT,
  }),
};

/** The options of `coffer status`. It asks the ops listener, which takes no SVID. */
export const statusOptions = {
  opsAddr: option("--ops-addr", "<address>", "the server's --ops-listen, on this machine: HOST:PORT", {
    standard: DEFAULT_OPS_ADDRESS,
  }),
  timeout: option("--timeout", "<duration>", "how long the question may take: 500ms, 10s, 5m", {
    standard: DEFAULT_TIMEOUT,
  }),
};
