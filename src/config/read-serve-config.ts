import { AddressError, formatAddress, parseAddress } from "../domain/address.ts";
import { DEFAULT_MAX_CONTENT_BYTES, MAX_CONFIGURABLE_CONTENT_BYTES } from "../contract/limits.ts";
import { LOG_LEVELS } from "../observability/logger.ts";
import { DEFAULT_BUDGET_LIMITS } from "../grpc/budget.ts";
import { DEFAULT_HANDSHAKE_LIMITS, type HandshakeLimits } from "../admission/handshake-gate.ts";
import type { ListenAddress } from "../admission/listener.ts";
import type { ServeConfig, StoreConfig } from "./serve-config.ts";
import { type Environment, type GivenFlags, OptionReader, DEFAULT_ADDRESS, DEFAULT_OPS_ADDRESS } from "./option.ts";
import {
  parseBytes,
  parseChoice,
  parseCount,
  parseDuration,
  parseFilePath,
  parseMode,
  parseNamedBundle,
  parseSpiffeId,
} from "./value.ts";
import { type BundleFile, readIdentityChoice } from "./identity-choice.ts";
import {
  DEFAULT_MAX_REQUEST_IDS,
  DEFAULT_STORE_SHARE,
  DEFAULT_TOMBSTONE_RETENTION_MS,
  MAX_DEFAULT_THREADS,
  MAX_THREADS,
  MAX_TOMBSTONE_RETENTION_MS,
  serveOptions as options,
} from "./serve-options.ts";

const DEFAULT_SOCKET_MODE = 0o660;

const STORES = ["sqlite", "memory"] as const;

/** The memory of the machine in bytes, as node:os and node:process report it. */
export interface MachineMemory {
  readonly total: number;
  /** The limit of the cgroup. Without one it is 0, or a number larger than any memory. */
  readonly constrained: number;
}

/** What the process may use of its machine. */
export interface Machine extends MachineMemory {
  /** The number of CPUs. */
  readonly cpus: number;
}

/**
 * Reads the configuration of `coffer serve`: flags, then COFFER_SERVER_* variables, then defaults. Reads no files.
 * Throws ConfigurationError with all problems.
 */
export function readServeConfig(flags: GivenFlags, environment: Environment, machine: Machine): ServeConfig {
  const reader = new OptionReader(flags, environment);
  const running = readRunning(reader, machine);
  const required = { store: readStore(reader), identity: readIdentityChoice(reader, options, readBundle) };
  const rest = {
    ...running,
    lockWaitMs: reader.optional(options.lockWait, parseDuration) ?? 0,
    startupTimeoutMs: reader.optional(options.startupTimeout, parseDuration),
    shutdownDelayMs: reader.optional(options.shutdownDelay, parseDuration) ?? 0,
    policy: reader.optional(options.policy, asIs),
    admins: reader.all(options.admin, parseSpiffeId),
    opsHosts: reader.all(options.opsHost, asIs),
    allowDebug: reader.optional(options.allowDebug, parseSwitch) ?? false,
    maxContentBytes: reader.optional(options.maxContentBytes, parseContentBytes) ?? DEFAULT_MAX_CONTENT_BYTES,
    tombstoneRetentionMs: reader.optional(options.tombstoneRetention, parseRetention) ?? DEFAULT_TOMBSTONE_RETENTION_MS,
    maxRequestIds: reader.optional(options.maxRequestIds, (text) => parseCount(text)) ?? DEFAULT_MAX_REQUEST_IDS,
  };
  return { ...rest, ...reader.complete(required) };
}

/** The settings whose defaults suit every machine. Of the options of `coffer serve`, `coffer dev` has only these. */
export type RunningConfig = Pick<
  ServeConfig,
  "listen" | "opsListen" | "maxStoreBytes" | "handshakes" | "budgets" | "threads" | "logLevel"
>;

/** Reads only the options that `coffer dev` has. Throws ConfigurationError with all problems. */
export function readRunningConfig(flags: GivenFlags, environment: Environment, machine: Machine): RunningConfig {
  const reader = new OptionReader(flags, environment);
  const config = readRunning(reader, machine);
  reader.finish();
  return config;
}

function readRunning(reader: OptionReader, machine: Machine): RunningConfig {
  return {
    listen: readListen(reader),
    opsListen: readOpsListen(reader),
    maxStoreBytes: reader.optional(options.maxStoreBytes, (text) => parseBytes(text)) ?? defaultStoreBytes(machine),
    handshakes: readHandshakes(reader),
    budgets: DEFAULT_BUDGET_LIMITS,
    threads: reader.optional(options.threads, parseThreads) ?? Math.min(MAX_DEFAULT_THREADS, machine.cpus),
    logLevel: reader.optional(options.logLevel, parseChoice(LOG_LEVELS)) ?? "info",
  };
}

const asIs = (text: string): string => text;

/** The memory available to this process: the limit of the cgroup or the machine's memory, whichever is smaller. */
export function availableBytes({ total, constrained }: MachineMemory): number {
  return constrained > 0 ? Math.min(constrained, total) : total;
}

/** The default of --max-store-bytes. */
function defaultStoreBytes(memory: MachineMemory): number {
  return Math.floor(availableBytes(memory) * DEFAULT_STORE_SHARE);
}

function readListen(reader: OptionReader): ListenAddress[] {
  const mode = reader.optional(options.socketMode, parseMode) ?? DEFAULT_SOCKET_MODE;
  const given = reader.all(options.listen, parseAddress);
  const addresses = reader.isGiven(options.listen) ? given : [parseAddress(DEFAULT_ADDRESS)];
  reportRepeated(reader, options.listen.flag, addresses.map(formatAddress));
  return addresses.map((address) => (address.kind === "unix" ? { ...address, mode } : address));
}

function readHandshakes(reader: OptionReader): HandshakeLimits {
  const { connections, inProgress, perSecond } = DEFAULT_HANDSHAKE_LIMITS;
  return {
    connections: reader.optional(options.maxConnections, (text) => parseCount(text)) ?? connections,
    inProgress: reader.optional(options.maxHandshakes, (text) => parseCount(text)) ?? inProgress,
    perSecond: reader.optional(options.handshakeRate, (text) => parseCount(text)) ?? perSecond,
  };
}

function readStore(reader: OptionReader): StoreConfig | undefined {
  const kind = reader.optional(options.store, parseChoice(STORES)) ?? "sqlite";
  if (kind === "sqlite") return readSqlite(reader);
  // An operator who names a data folder expects the secrets to be stored there.
  for (const option of [options.data, options.rootKey, options.lockWait]) {
    if (reader.isGiven(option))
      reader.problem(`${option.flag} can't be used with --store memory, which stores nothing on disk`);
  }
  return { kind };
}

function readSqlite(reader: OptionReader): StoreConfig | undefined {
  const data = reader.required(options.data, asIs);
  const rootKey = reader.required(options.rootKey, parseFilePath);
  if (data === undefined || rootKey === undefined) return undefined;
  return { kind: "sqlite", data, rootKey };
}

function readBundle(text: string): BundleFile {
  const { trustDomain, file } = parseNamedBundle(text);
  return [trustDomain.name, file];
}

function reportRepeated(reader: OptionReader, flag: string, names: readonly string[]): void {
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  for (const name of repeated) reader.problem(`${flag}: ${name} is set twice`);
}

function readOpsListen(reader: OptionReader): ServeConfig["opsListen"] {
  const given = reader.optional(options.opsListen, parseOpsAddress);
  if (reader.isGiven(options.opsListen)) return given === "off" ? undefined : given;
  return parseTcp(DEFAULT_OPS_ADDRESS);
}

function parseOpsAddress(text: string): { host: string; port: number } | "off" {
  return text === "off" ? "off" : parseTcp(text);
}

function parseTcp(text: string): { host: string; port: number } {
  const address = parseAddress(text);
  if (address.kind === "unix") throw new AddressError("expected HOST:PORT or off");
  return { host: address.host, port: address.port };
}

function parseContentBytes(text: string): number {
  return parseBytes(text, MAX_CONFIGURABLE_CONTENT_BYTES);
}

function parseRetention(text: string): number {
  return parseDuration(text, MAX_TOMBSTONE_RETENTION_MS);
}

function parseThreads(text: string): number {
  return parseCount(text, MAX_THREADS);
}

function parseSwitch(text: string): boolean {
  return parseChoice(["true", "false"])(text) === "true";
}
