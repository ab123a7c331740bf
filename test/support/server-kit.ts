import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after } from "node:test";
import { Client, type ClientOptions, Metadata, type ServiceError, credentials, status as Code } from "@grpc/grpc-js";
import { type MethodDefinition, type ServiceDefinition, loadSync } from "@grpc/proto-loader";
import type { ServeConfig } from "../../src/config/serve-config.ts";
import { CofferServer, type CofferServerOptions } from "../../src/app/server.ts";
import { DetailType, STATUS_DETAILS_TRAILER, badRequest, errorInfo, status } from "../../src/contract/error-details.ts";
import { formatAddress } from "../../src/domain/address.ts";
import { systemClock, type Timers, processTimers } from "../../src/domain/timers.ts";
import type { IdentityFiles } from "../../src/identity/identity-files.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { TrustDomain } from "../../src/spiffe/trust-domain.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { makeRootKey } from "../../src/persistence/root-key-file.ts";
import {
  type DevelopmentCa,
  type Credential,
  type SvidRequest,
  createDevelopmentCa,
} from "../../src/pki/development-ca.ts";
import { DEFAULT_BUDGET_LIMITS } from "../../src/grpc/budget.ts";
import { DEFAULT_HANDSHAKE_LIMITS } from "../../src/admission/handshake-gate.ts";
import { PATIENCE_MS } from "./patience.ts";
import { THREADS } from "./threads.ts";
import type { ListenAddress } from "../../src/admission/listener.ts";

export const ADMIN = "spiffe://example.org/admin";
export const API = "spiffe://example.org/ns/shop/sa/api";
export const WEB = "spiffe://example.org/ns/shop/sa/web";

/** Replaces the Node probe for servers in the process of the tests. The probe has its own test. */
export const PASSED: CofferServerOptions["probe"] = async () => ({ kind: "passed", remembered: true });

/** A policy: api may do everything under shop/api and shop/shared, and web may read shop/shared. */
export const POLICY = `
rules:
  - name: api
    spiffe_ids: [${API}]
    paths: [shop/api/**, shop/shared/*]
    actions: [read, write, delete, destroy, list, describe]
  - name: shared
    spiffe_ids: [${WEB}]
    paths: [shop/shared/*]
    actions: [read]
`;

/** The kits whose server runs. */
const running = new Set<ServerKit>();

// A test that fails leaves its server running, which would keep the process until the time limit of the test runner. A
// hook of the whole file ends it. Benchmarks use this module as well, without the test runner.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) after(() => Promise.all([...running].map((kit) => kit.stop())));

/** One line of the server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

/**
 * A real server in this process, with its own folder, CA and log. It listens on a free port of the loopback address.
 * `config` replaces parts of its configuration.
 */
export class ServerKit {
  readonly folder = mkdtempSync(join(tmpdir(), "coffer-test-"));
  readonly ca: DevelopmentCa = createDevelopmentCa(TrustDomain.parse("example.org"), systemClock);
  readonly log: LogLine[] = [];
  /** One entry for each time that the server would have killed its process. */
  readonly deaths: string[] = [];
  /** The files of the server's own identity. The configuration may name another source. */
  readonly files: IdentityFiles;
  readonly config: ServeConfig;
  #server: CofferServer | undefined;

  private constructor(config: Partial<ServeConfig>) {
    const files = this.writeCredential(this.issue({ id: "spiffe://example.org/coffer", dns: ["localhost"] }), "coffer");
    const bundle = join(this.folder, "bundle.pem");
    const policy = join(this.folder, "policy.yaml");
    const rootKey = join(this.folder, "root.key");
    writeFileSync(bundle, this.ca.bundlePem);
    writeFileSync(policy, POLICY);
    makeRootKey(rootKey);
    this.files = { ...files, bundles: new Map([["example.org", bundle]]) };
    this.config = {
      threads: THREADS,
      listen: [{ kind: "tcp", host: "127.0.0.1", port: 0 }],
      store: { kind: "sqlite", data: join(this.folder, "data"), rootKey },
      lockWaitMs: 0,
      identity: { kind: "files", files: this.files, because: "the test says so" },
      startupTimeoutMs: undefined,
      shutdownDelayMs: 0,
      policy,
      admins: [SpiffeId.parse(ADMIN)],
      opsListen: { host: "127.0.0.1", port: 0 },
      opsHosts: [],
      maxStoreBytes: 1 << 30,
      handshakes: DEFAULT_HANDSHAKE_LIMITS,
      budgets: DEFAULT_BUDGET_LIMITS,
      maxContentBytes: 1 << 20,
      tombstoneRetentionMs: 90 * 24 * 3_600_000,
      maxRequestIds: 100_000,
      allowDebug: false,
      logLevel: "debug",
      ...config,
    };
  }

  static async start(config: Partial<ServeConfig> = {}, timers: Timers = processTimers): Promise<ServerKit> {
    const kit = new ServerKit(config);
    await kit.restart(timers);
    return kit;
  }

  get server(): CofferServer {
    if (this.#server === undefined) throw new Error("the server is stopped");
    return this.#server;
  }

  get address(): ListenAddress {
    return this.server.addresses[0]!;
  }

  get opsUrl(): string {
    const { host, port } = this.server.opsAddress!;
    return `http://${host}:${port}`;
  }

  async restart(timers: Timers = processTimers, probe: CofferServerOptions["probe"] = PASSED): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    const die = () => void this.deaths.push("died");
    // The threads of fronts have timers of their own, which a test can't script.
    const threads = timers === processTimers ? this.config.threads : 1;
    const server = new CofferServer({ ...this.config, threads }, { log: this.#logger(), timers, die, probe });
    await server.start();
    this.#server = server;
    running.add(this);
  }

  /** Resolves when {@link log} has every line that the server has written so far, on whichever thread. */
  settled(): Promise<void> {
    return this.server.settled();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }

  issue(request: SvidRequest): Credential {
    return this.ca.issue(request);
  }

  writeCredential({ certPem, keyPem }: Credential, name: string): { cert: string; key: string } {
    const cert = join(this.folder, `${name}.pem`);
    const key = join(this.folder, `${name}.key`);
    writeFileSync(cert, certPem);
    writeFileSync(key, keyPem, { mode: 0o600 });
    return { cert, key };
  }

  /** A caller with its own connection. */
  caller(id: string, options: ClientOptions = {}): Caller {
    return this.callerWith(this.issue({ id }), options);
  }

  callerWith(credential: Credential, options: ClientOptions = {}): Caller {
    const target = this.address.kind === "tcp" ? `localhost:${this.address.port}` : formatAddress(this.address);
    return new Caller(target, Buffer.from(this.ca.bundlePem), credential, options);
  }

  #logger() {
    const lines = this.log;
    const stream = new Writable({
      write(chunk, _encoding, done) {
        for (const line of String(chunk).split("\n")) if (line !== "") lines.push(JSON.parse(line) as LogLine);
        done();
      },
    });
    return createLogger(this.config.logLevel, stream);
  }
}

/** The result of a call. */
export interface Outcome {
  /** The name of the gRPC code. */
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields of google.rpc.BadRequest; absent if the error has none. */
  readonly violations?: readonly string[];
  /** The response, as proto-loader decodes it. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at what it expects
  readonly response: any;
}

const proto = loadSync("coffer/v1/coffer.proto", {
  includeDirs: ["proto"],
  keepCase: true,
  longs: Number,
  enums: String,
});
const secrets = proto["coffer.v1.Secrets"] as ServiceDefinition;

/** Calls the server with only grpc-js and proto-loader, without Coffer's own client and codecs. */
export class Caller {
  readonly client: Client;

  constructor(target: string, roots: Buffer, credential: Credential, options: ClientOptions) {
    const channel = credentials.createSsl(roots, Buffer.from(credential.keyPem), Buffer.from(credential.certPem));
    this.client = new Client(target, channel, { "grpc.use_local_subchannel_pool": 1, ...options });
  }

  put = (request: object): Promise<Outcome> => this.call("Put", request);
  get = (request: object): Promise<Outcome> => this.call("Get", request);
  delete = (request: object): Promise<Outcome> => this.call("Delete", request);
  list = (request: object): Promise<Outcome> => this.call("List", request);
  describe = (request: object): Promise<Outcome> => this.call("Describe", request);

  call(name: string, request: object, deadlineMs = PATIENCE_MS): Promise<Outcome> {
    const method = secrets[name]! as MethodDefinition<object, object>;
    return this.#send(method.path, method.requestSerialize(request), deadlineMs);
  }

  /** Sends bytes that may not be a valid message. */
  raw(name: string, bytes: Buffer): Promise<Outcome> {
    return this.#send(secrets[name]!.path, bytes, PATIENCE_MS);
  }

  close(): void {
    this.client.close();
  }

  #send(path: string, bytes: Buffer, deadlineMs: number): Promise<Outcome> {
    const name = path.split("/").at(-1)!;
    const deserialize = (secrets[name] as MethodDefinition<object, object>).responseDeserialize;
    const options = { deadline: Date.now() + deadlineMs };
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        path,
        (b: Buffer) => b,
        deserialize,
        bytes,
        new Metadata(),
        options,
        (error, response) => resolve(error === null ? { ...OK, response } : outcome(error)),
      );
    });
  }
}

const OK: Outcome = { code: "OK", message: "", reason: undefined, metadata: {}, response: undefined };

function outcome(error: ServiceError): Outcome {
  const base = { ...OK, code: Code[error.code], message: error.details };
  const [trailer] = error.metadata.get(STATUS_DETAILS_TRAILER);
  if (trailer === undefined) return base;
  const { details } = status.decode(trailer as Buffer);
  const info = details.find((detail) => detail.typeUrl === DetailType.errorInfo);
  if (info === undefined) return base;
  const { reason, metadata } = errorInfo.decode(info.value);
  const entries = metadata.map(({ key, value }) => [key, Buffer.from(value).toString()]);
  const bad = details.find((detail) => detail.typeUrl === DetailType.badRequest);
  const result = { ...base, reason, metadata: Object.fromEntries(entries) };
  if (bad === undefined) return result;
  return { ...result, violations: badRequest.decode(bad.value).fieldViolations.map(({ field }) => field) };
}
