import { DEFAULT_MAX_CONTENT_BYTES, MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import { DEFAULT_HANDSHAKE_LIMITS } from "../admission/handshake-gate.ts";
import { type OptionDefinition, serverOption as option, DEFAULT_ADDRESS, DEFAULT_OPS_ADDRESS } from "./option.ts";
import { formatBytes } from "./value.ts";
import { selectionOptions } from "./identity-choice.ts";

/** The share of the memory there is that the store may fill. The rest is for calls in flight, SQLite and Node. */
export const DEFAULT_STORE_SHARE = 0.75;

/** Every option of `coffer serve`: the program, its help and the README's table are made from these. */
export const serveOptions = {
  listen: option("--listen", "<address>", "where to serve, by mTLS: HOST:PORT, [IPV6]:PORT or unix:PATH", {
    standard: DEFAULT_ADDRESS,
    repeatable: true,
  }),
  socketMode: option("--socket-mode", "<octal>", "permissions of a unix socket", { standard: "660" }),
  store: option("--store", "<kind>", "sqlite keeps secrets on disk, memory forgets them at exit", {
    standard: "sqlite",
  }),
  data: option("--data", "<folder>", "the data folder, for sqlite"),
  rootKey: option("--root-key", "<file>", "the key that seals the store, for sqlite; made by `coffer root-key`"),
  lockWait: option("--lock-wait", "<duration>", "how long to wait for another server to let go of the data: 30s, 5m", {
    standard: "none: the start is refused at once",
  }),
  cert: option("--cert", "<pem>", "the server's X.509-SVID, with its intermediates; without files, the Workload API"),
  key: option("--key", "<pem>", "the private key of the SVID"),
  bundle: option("--bundle", "<trust-domain>=<pem>", "the authorities of a trust domain whose workloads may call", {
    repeatable: true,
  }),
  ...selectionOptions(option),
  startupTimeout: option(
    "--startup-timeout",
    "<duration>",
    "how long to wait for an identity before giving up: 30s, 5m",
    {
      standard: "none: it waits as long as it takes",
    },
  ),
  shutdownDelay: option(
    "--shutdown-delay",
    "<duration>",
    "how long to take calls once told to stop, while probes say so: as long as callers may still be sent here",
    {
      standard: "0s",
    },
  ),
  policy: option("--policy", "<file>", "who may do what, in YAML or JSON; without it only admins may do anything"),
  admin: option("--admin", "<spiffe-id>", "who may do everything, by an exact SPIFFE ID", { repeatable: true }),
  opsListen: option(
    "--ops-listen",
    "<address>",
    "where to serve /livez, /readyz, /metrics and /status, by plain HTTP; or off",
    {
      standard: DEFAULT_OPS_ADDRESS,
    },
  ),
  opsHost: option(
    "--ops-host",
    "<name>",
    "a public name by which probes and metrics may be asked for, beside addresses",
    {
      repeatable: true,
    },
  ),
  maxStoreBytes: option(
    "--max-store-bytes",
    "<size>",
    "what the store may take in memory; beyond it a Put is refused",
    {
      standard: `${DEFAULT_STORE_SHARE * 100} % of the memory of the container, or of the machine`,
    },
  ),
  maxContentBytes: option(
    "--max-content-bytes",
    "<size>",
    `what the content of one version may take, up to ${formatBytes(MAX_CONFIGURABLE_CONTENT_BYTES)}`,
    { standard: formatBytes(DEFAULT_MAX_CONTENT_BYTES) },
  ),
  maxConnections: option("--max-connections", "<count>", "connections that may be open, those in handshake included", {
    standard: String(DEFAULT_HANDSHAKE_LIMITS.connections),
  }),
  maxHandshakes: option("--max-handshakes", "<count>", "connections that may be in handshake at a time", {
    standard: String(DEFAULT_HANDSHAKE_LIMITS.inProgress),
  }),
  handshakeRate: option("--handshake-rate", "<count>", "handshakes that may begin in a second; more wait their turn", {
    standard: String(DEFAULT_HANDSHAKE_LIMITS.perSecond),
  }),
  allowDebug: option(
    "--allow-debug",
    "",
    "start even when Node is told to open a debugger, or to write keys or memory to files",
    {
      standard: "false",
    },
  ),
  logLevel: option("--log-level", "<level>", "error, warn, info, or debug (a line for every call)", {
    standard: "info",
  }),
} as const satisfies Record<string, OptionDefinition>;

const { listen, socketMode, opsListen, maxStoreBytes, maxConnections, maxHandshakes, handshakeRate, logLevel } =
  serveOptions;

/** The options that `coffer dev` has too. */
export const runningOptions = {
  listen,
  socketMode,
  opsListen,
  maxStoreBytes,
  maxConnections,
  maxHandshakes,
  handshakeRate,
  logLevel,
};

/** The README's table of options, in Markdown. */
export function serveOptionsTable(): string {
  const rows = Object.values(serveOptions).map((option: OptionDefinition) => [
    `\`${`${option.flag} ${option.value}`.trim()}\`${option.repeatable ? ", repeatable" : ""}`,
    `\`${option.variable}\``,
    option.standard ?? "",
    option.description,
  ]);
  const lines = [["Flag", "Variable", "Default", "Meaning"], ["---", "---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
