import { readFileSync } from "node:fs";
import process from "node:process";
import type { IdentitySource } from "../identity/source.ts";
import { TLS_ALGORITHMS } from "../spiffe/tls-algorithms.ts";
import type {
  Check,
  DiskStatus,
  IdentityStatus,
  PolicyStatus,
  RuntimeStatus,
  ServerStatus,
  StoreStatus,
} from "../observability/server-status.ts";
import { diskUsage } from "../persistence/disk-usage.ts";
import { sqliteVersion } from "../persistence/sqlite-version.ts";
import type { SecretStore } from "../store/secret-store.ts";
import { fixedUntil } from "./node-line.ts";
import type { ProbeResult } from "./node-probe.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { describeChoice } from "../config/identity-choice.ts";
import type { PolicySource } from "./policy-source.ts";
import { commit, release } from "./release.ts";
import type { Progress } from "./startup.ts";

/** The parts of a server that the status describes. */
export interface StatusOptions {
  readonly config: ServeConfig;
  readonly checks: readonly Check[];
  readonly progress: Progress;
  /** Undefined while the probe runs. */
  readonly probed: ProbeResult | undefined;
}

/** The current status, as /status and `coffer status` show it. */
export function reportStatus({ config, checks, progress, probed }: StatusOptions): ServerStatus {
  const resources = progress.kind === "opening" ? undefined : progress.opened.resources;
  const store = progress.kind === "loaded" ? progress.opened.store : undefined;
  return {
    release: release(),
    commit: commit(),
    node: process.version,
    sqlite: sqliteVersion(),
    runtime: runtimeStatus(probed),
    process: processStatus(config),
    ready: checks.every(({ state }) => state === "ok"),
    checks,
    identity: identityStatus(config, resources?.identity),
    policy: resources === undefined ? null : policyStatus(config, resources.policy),
    store: storeStatus(config, store),
    disk: diskStatus(config),
  };
}

function runtimeStatus(probed: ProbeResult | undefined): RuntimeStatus {
  const options = [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(" ")];
  return {
    fixed_until: fixedUntil(process.version) ?? null,
    openssl: process.versions.openssl,
    key_exchange: TLS_ALGORITHMS.ecdhCurve.split(":"),
    sigusr1: options.includes("--disable-sigusr1") ? "disabled" : "handled",
    probe: probed === undefined ? "running" : probed.kind,
  };
}

function processStatus({ threads }: ServeConfig): ServerStatus["process"] {
  return {
    pid: process.pid,
    call_threads: threads,
    threads: threadCount(),
    memory_bytes: process.memoryUsage.rss(),
    started_at: new Date(performance.timeOrigin).toISOString(),
    uptime_seconds: Math.round(process.uptime()),
  };
}

/** From proc_pid_status(5). */
function threadCount(): number | null {
  try {
    const count = /^Threads:\s+(\d+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return count === undefined ? null : Number(count);
  } catch {
    return null;
  }
}

function identityStatus({ identity }: ServeConfig, source: IdentitySource | undefined): IdentityStatus {
  const state = source?.state;
  const snapshot = state?.kind === "ready" ? state.snapshot : undefined;
  return {
    source: describeChoice(identity),
    problems: state?.problems ?? [],
    svid: snapshot ? { spiffe_id: snapshot.svid.id.toString(), valid_until: rfc3339(snapshot.validUntil) } : null,
    bundles: Array.from(snapshot?.bundles ?? [], ([name, { authorities, notAfter }]) => ({
      trust_domain: name,
      authorities: authorities.length,
      not_after: notAfter === undefined ? null : rfc3339(notAfter),
    })),
  };
}

function policyStatus({ policy: file, admins }: ServeConfig, policy: PolicySource): PolicyStatus {
  const { isNewest, lastLoad } = policy.loaded;
  return {
    file: file ?? null,
    rules: policy.rules,
    admins: admins.length,
    loaded_at: rfc3339(lastLoad),
    is_newest: isNewest,
  };
}

function storeStatus({ store: { kind }, maxStoreBytes }: ServeConfig, store: SecretStore | undefined): StoreStatus {
  const totals = store?.totals;
  return {
    kind,
    revision: store?.snapshot().revision ?? null,
    secrets: totals?.secrets ?? null,
    versions: totals?.versions ?? null,
    memory_bytes: totals?.bytes ?? null,
    memory_limit_bytes: maxStoreBytes,
  };
}

function diskStatus({ store }: ServeConfig): DiskStatus | null {
  if (store.kind === "memory") return null;
  const { used, free } = diskUsage(store.data);
  return { folder: store.data, used_bytes: used, free_bytes: Number.isFinite(free) ? free : null };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
