import { request } from "node:http";
import type { OpsAddress } from "../observability/ops-server.ts";
import type { Check, ServerStatus } from "../observability/server-status.ts";
import { CommandFailed } from "./command-failed.ts";
import { table } from "./printable.ts";

// More than the status of a server with a thousand trust domains. Another service, on a wrong port, may send without
// end.
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Requests the status from the ops listener. Rejects with CommandFailed when there is none within `timeoutMs`. */
export async function askStatus(address: OpsAddress, timeoutMs: number): Promise<ServerStatus> {
  const where = `${address.host}:${address.port}`;
  const { status, body } = await ask(address, timeoutMs).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailed("unavailable", `no status from ${where}: ${reasonOf(error, timeoutMs)}`);
  });
  if (status === 403)
    throw new CommandFailed("denied", `${where} serves its status only to clients on its own machine`);
  const answer = status === 200 ? parseStatus(body) : undefined;
  if (answer === undefined) throw new CommandFailed("other", `${where} is not the ops listener of a Coffer server`);
  return answer;
}

function ask({ host, port }: OpsAddress, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = request({ host, port, path: "/status", agent: false, signal }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
        if (body.length > MAX_ANSWER_BYTES) asked.destroy(new Error("the response is too long"));
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function reasonOf(error: NodeJS.ErrnoException, timeoutMs: number): string {
  if (error.code === "ECONNREFUSED") return "connection refused; set --ops-addr to the server's --ops-listen";
  if (error.code === "ABORT_ERR") return `no response within the ${timeoutMs} ms of --timeout`;
  return error.message;
}

/** Undefined if `body` is not a status. Unknown fields are ignored: the server may be a later release. */
function parseStatus(body: string): ServerStatus | undefined {
  try {
    const status = JSON.parse(body) as ServerStatus;
    return typeof status.release === "string" && typeof status.ready === "boolean" ? status : undefined;
  } catch {
    return undefined;
  }
}

/** Formats the status as a table with one line for each fact. */
export function statusTable(status: ServerStatus): string {
  const { identity, policy, store, disk, process } = status;
  return table([
    ["ready", status.ready ? "yes" : notReady(status.checks)],
    ["release", `${status.release} (commit ${status.commit}), Node ${status.node.slice(1)}, SQLite ${status.sqlite}`],
    ["runtime", runtimeText(status.runtime)],
    ["process", `${process.pid}, ${size(process.memory_bytes)} of memory, ${threadsText(process)}`],
    ["uptime", `${duration(process.uptime_seconds)}, since ${process.started_at}`],
    ["identity", identity.svid === null ? "none" : `${identity.svid.spiffe_id} until ${identity.svid.valid_until}`],
    ["source", identity.source],
    ...identity.problems.map((problem) => ["problem", problem]),
    ...identity.bundles.map((bundle) => [
      "bundle",
      `${bundle.trust_domain}: ${counted(bundle.authorities, "CA", "CAs")} until ${bundle.not_after ?? "-"}`,
    ]),
    ["policy", policy === null ? "not loaded" : policyText(policy)],
    ["store", storeText(store)],
    ["revision", store.revision === null ? "not loaded" : String(store.revision)],
    ["disk", disk === null ? "none: --store memory" : diskText(disk)],
  ]);
}

/** Describes the runtime. The status of an older server does not contain it. */
function runtimeText(runtime: ServerStatus["runtime"] | undefined): string {
  if (runtime === undefined) return "unknown";
  const { fixed_until, openssl, key_exchange, sigusr1, probe } = runtime;
  const fixes = fixed_until === null ? "security fixes: unknown" : `security fixes until ${fixed_until}`;
  return `OpenSSL ${openssl}, ${key_exchange.join(", ")}; SIGUSR1 ${sigusr1}; probe ${probe}; ${fixes}`;
}

/** The status of an older server does not contain the threads that answer calls. */
function threadsText({ threads, call_threads }: Partial<ServerStatus["process"]>): string {
  const answering = call_threads === undefined ? "" : `, of which ${call_threads} answer calls`;
  return `${threads ?? "unknown"} threads${answering}`;
}

function notReady(checks: readonly Check[]): string {
  const failing = checks.flatMap((check) => (check.state === "ok" ? [] : [`${check.name}: ${check.why}`]));
  return `no (${failing.join("; ")})`;
}

function policyText({ file, rules, admins, loaded_at, is_newest }: NonNullable<ServerStatus["policy"]>): string {
  const counts = `${counted(rules, "rule", "rules")}, ${counted(admins, "admin", "admins")}`;
  const outdated = is_newest ? "" : "; the file has changed and was REFUSED, see the log";
  return `${file ?? "no file"}, ${counts}, loaded ${loaded_at}${outdated}`;
}

function storeText({ kind, secrets, versions, memory_bytes, memory_limit_bytes }: ServerStatus["store"]): string {
  if (secrets === null || versions === null || memory_bytes === null) return `${kind}, not loaded`;
  const counts = `${counted(secrets, "secret", "secrets")}, ${counted(versions, "version", "versions")}`;
  return `${kind}, ${counts}, ${size(memory_bytes)} of ${size(memory_limit_bytes)} of memory`;
}

function diskText({ folder, used_bytes, free_bytes }: NonNullable<ServerStatus["disk"]>): string {
  return `${folder}: ${size(used_bytes)} used, ${free_bytes === null ? "unknown" : size(free_bytes)} free`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** Formats a size with up to three digits: 1.5 GiB. */
function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const value = bytes / 1024 ** step;
  return `${step > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[step]}`;
}

/** Formats a duration with its two largest units: 3d 4h, 5m 6s. */
function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [Math.floor(seconds) % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return first === -1
    ? "0s"
    : parts
        .slice(first, first + 2)
        .map(([count, unit]) => `${count}${unit}`)
        .join(" ");
}
