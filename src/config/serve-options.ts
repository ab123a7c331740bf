import { DEFAULT_MAX_CONTENT_BYTES, MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import { DEFAULT_HANDSHAKE_LIMITS } from "../admission/handshake-gate.ts";
import { type OptionDefinition, serverOption as option, DEFAULT_ADDRESS, DEFAULT_OPS_ADDRESS } from "./option.ts";
import { DAY_MS, formatBytes, formatDays } from "./value.ts";
import { selectionOptions } from "./identity-choice.ts";

/** The share of the available memory that the store may use by default. The rest is for calls, SQLite and Node. */
export const DEFAULT_STORE_SHARE = 0.75;

/** How long the tombstone of a purged secret is kept by default, in milliseconds. */
export const DEFAULT_TOMBSTONE_RETENTION_MS = 90 * DAY_MS;

/** The maximum of --tombstone-retention, in milliseconds. */
export const MAX_TOMBSTONE_RETENTION_MS = 3650 * DAY_MS;

/** How many request ids of a caller are remembered by default. */
export const DEFAULT_MAX_REQUEST_IDS = 100_000;

/** The maximum number of threads that answer calls. */
export const MAX_THREADS = 64;

/** The default is the number of CPUs, but at most this: each thread uses memory even if it has little to do. */
export const MAX_DEFAULT_THREADS = 4;

/** Every option of `coffer serve`. The program, its help and the table in docs/options.md are generated from these. */
export const serveOptions = {
  listen: option("--listen", "<address>", "address to serve on, with mTLS: HOST:PORT, [IPV6]:PORT or unix:PATH", {
    standard: DEFAULT_ADDRESS,
    repeatable: true,
  }),
  socketMode: option("--socket-mode", "<octal>", "permissions of a unix socket", { standard: "660" }),
  store: option("--store", "<kind>", "sqlite keeps secrets on disk; memory loses them at exit", {
    standard: "sqlite",
  }),
  data: option("--data", "<folder>", "the data folder, for `--store sqlite`"),
  rootKey: option(
    "--root-key",
    "<file>",
    "the key that encrypts the store, for `--store sqlite`; created by `coffer root-key`",
  ),
  lockWait: option(
    "--lock-wait",
    "<duration>",
    "how long to wait while another server uses the data, such as 30s or 5m",
    {
      standard: "none: the start fails immediately",
    },
  ),
  cert: option(
    "--cert",
    "<pem>",
    "the server's X.509-SVID with its intermediates; without files, the Workload API is used",
  ),
  key: option("--key", "<pem>", "the private key of the SVID"),
  bundle: option("--bundle", "<trust-domain>=<pem>", "the CA certificates of a trust domain whose workloads may call", {
    repeatable: true,
  }),
  ...selectionOptions(option),
  startupTimeout: option(
    "--startup-timeout",
    "<duration>",
    "how long to wait for an identity before the start fails, such as 30s or 5m",
    {
      standard: "none: it waits without a limit",
    },
  ),
  shutdownDelay: option(
    "--shutdown-delay",
    "<duration>",
    "how long to keep serving after SIGTERM, with readiness false, so that load balancers stop sending calls",
    {
      standard: "0s",
    },
  ),
  policy: option("--policy", "<file>", "the policy, in YAML or JSON; without it, only admins are allowed anything"),
  admin: option("--admin", "<spiffe-id>", "a SPIFFE ID that is allowed everything, compared exactly", {
    repeatable: true,
  }),
  opsListen: option(
    "--ops-listen",
    "<address>",
    "address of /livez, /readyz, /metrics and /status, over plain HTTP; or off",
    {
      standard: DEFAULT_OPS_ADDRESS,
    },
  ),
  opsHost: option(
    "--ops-host",
    "<name>",
    "a public host name that requests to --ops-listen may use; addresses are always accepted",
    {
      repeatable: true,
    },
  ),
  maxStoreBytes: option("--max-store-bytes", "<size>", "memory that the store may use; a Put beyond it is refused", {
    standard: `${DEFAULT_STORE_SHARE * 100} % of the memory of the container or the machine`,
  }),
  maxContentBytes: option(
    "--max-content-bytes",
    "<size>",
    `maximum size of the content of one version, up to ${formatBytes(MAX_CONFIGURABLE_CONTENT_BYTES)}`,
    { standard: formatBytes(DEFAULT_MAX_CONTENT_BYTES) },
  ),
  tombstoneRetention: option(
    "--tombstone-retention",
    "<duration>",
    `how long the version numbers of a purged secret are not used again, up to ${formatDays(MAX_TOMBSTONE_RETENTION_MS)}`,
    { standard: formatDays(DEFAULT_TOMBSTONE_RETENTION_MS) },
  ),
  maxRequestIds: option(
    "--max-request-ids",
    "<count>",
    "the maximum number of request ids that are remembered for each SPIFFE ID; each operation of a Commit counts; a change with a further request id is refused",
    { standard: String(DEFAULT_MAX_REQUEST_IDS) },
  ),
  maxConnections: option(
    "--max-connections",
    "<count>",
    "maximum number of open connections, including those in the handshake",
    {
      standard: String(DEFAULT_HANDSHAKE_LIMITS.connections),
    },
  ),
  maxHandshakes: option("--max-handshakes", "<count>", "maximum number of connections in the handshake", {
    standard: String(DEFAULT_HANDSHAKE_LIMITS.inProgress),
  }),
  handshakeRate: option("--handshake-rate", "<count>", "handshakes that may start per second; others wait", {
    standard: String(DEFAULT_HANDSHAKE_LIMITS.perSecond),
  }),
  threads: option("--threads", "<count>", `threads that answer calls, up to ${MAX_THREADS}`, {
    standard: `the CPUs that the process may use, at most ${MAX_DEFAULT_THREADS}`,
  }),
  allowDebug: option(
    "--allow-debug",
    "",
    "start even if Node's options open a debugger or write keys or memory to files",
    {
      standard: "false",
    },
  ),
  logLevel: option("--log-level", "<level>", "error, warn, info, or debug (one line for each call)", {
    standard: "info",
  }),
} as const satisfies Record<string, OptionDefinition>;

const {
  listen,
  socketMode,
  opsListen,
  maxStoreBytes,
  maxConnections,
  maxHandshakes,
  handshakeRate,
  threads,
  logLevel,
} = serveOptions;

/** The options that `coffer dev` also has. */
export const runningOptions = {
  listen,
  socketMode,
  opsListen,
  maxStoreBytes,
  maxConnections,
  maxHandshakes,
  handshakeRate,
  threads,
  logLevel,
};

/** The table of options in docs/options.md, in Markdown. */
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
