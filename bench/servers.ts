import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child, freePort } from "./child.ts";
import { type Target, runJob } from "./job.ts";
import type { Options, OtherBuild } from "./options.ts";
import { TRUST_DOMAIN, type RunFolder } from "./run-folder.ts";

/** A running server that accepts calls. */
export interface Server {
  readonly name: string;
  readonly target: Target;
  stop(): Promise<void>;
}

/** A running Coffer server. */
export interface CofferServer extends Server {
  /** The port of /metrics, on 127.0.0.1. */
  readonly opsPort: number;
}

/** Starts `http2`: node:http2 alone, with one fixed answer. */
export function startBareHttp2(folder: RunFolder): Promise<Server> {
  return startBare(folder, "http2", "./bare-http2.js");
}

/** Starts `grpc-js`: grpc-js with a Map. */
export function startBareGrpc(folder: RunFolder): Promise<Server> {
  return startBare(folder, "grpc-js", "./bare-grpc.js");
}

async function startBare(folder: RunFolder, name: string, module: string): Promise<Server> {
  const port = await freePort();
  const { coffer, ca } = folder.pki;
  const files = ["--cert", coffer.certFile, "--key", coffer.keyFile, "--bundle", ca.certFile];
  const child = new Child(
    name,
    [process.execPath, ...NODE_FLAGS, pathOf(module), "--port", `${port}`, ...files],
    logOf(folder, name),
  );
  await child.waitUntil(() => accepts(port));
  return serverOf(folder, child, "coffer", port);
}

/**
 * The flags of every Node server here, as docs/options.md recommends for Coffer. With V8's default of 16 MiB for young
 * objects, the objects of calls in progress become old, so V8 has to mark a million secrets repeatedly.
 */
const NODE_FLAGS = ["--max-semi-space-size=64"];

/** How to start a Coffer server. */
export interface CofferOptions {
  readonly name: string;
  /** The name of its data folder within the run folder. It may have the data of an earlier server. */
  readonly data: string;
  /** Options for Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Additional flags of `coffer serve`. */
  readonly flags?: readonly string[];
  /** The command that runs the server, such as a tracer with its options. It must become the server's process. */
  readonly under?: readonly string[];
  /** The build to start; by default this one. */
  readonly otherBuild?: OtherBuild | undefined;
}

/** Starts `coffer` by its own command line, with every feature enabled. Resolves once /readyz returns 200. */
export async function startCoffer(folder: RunFolder, options: CofferOptions): Promise<CofferServer> {
  const { name, data, nodeOptions = [], flags = [], under = [], otherBuild } = options;
  const [port, opsPort] = [await freePort(), await freePort()];
  const { coffer, ca } = folder.pki;
  const command = [
    ...[...under, otherBuild?.node ?? process.execPath, ...NODE_FLAGS, ...nodeOptions, mainOf(otherBuild), "serve"],
    ...["--listen", `127.0.0.1:${port}`, "--ops-listen", `127.0.0.1:${opsPort}`],
    ...["--data", folder.at(data), "--root-key", folder.rootKey, "--policy", folder.policy],
    ...["--cert", coffer.certFile, "--key", coffer.keyFile],
    ...["--bundle", `${TRUST_DOMAIN.name}=${ca.certFile}`, ...flags],
  ];
  mkdirSync(folder.at(data), { recursive: true, mode: 0o700 });
  const child = new Child(name, command, logOf(folder, name));
  await child.waitUntil(() => isReady(opsPort));
  return { ...serverOf(folder, child, "coffer", port), opsPort };
}

/** A Coffer server to measure. */
export type Coffer = Pick<CofferOptions, "name" | "flags" | "otherBuild">;

/** The options to start this Coffer and the builds to compare it with. */
export function coffers(otherBuilds: readonly OtherBuild[]): readonly Coffer[] {
  return [{ name: "coffer" }, ...otherBuilds.map((otherBuild) => ({ name: otherBuild.name, otherBuild }))];
}

/** The options to start this Coffer with each number of threads, and the builds to compare it with. */
export function threadedCoffers({ threads, otherBuilds }: Pick<Options, "threads" | "otherBuilds">): readonly Coffer[] {
  const own = threads.map((count) => ({ name: threadedName(count), flags: ["--threads", `${count}`] }));
  return [...own, ...coffers(otherBuilds).slice(1)];
}

/** The name of this Coffer with a number of threads. */
export function threadedName(threads: number): string {
  return `coffer-${threads}`;
}

/** The etcd binary, in the variable ETCD_BIN. Without it, etcd is not measured. */
export const ETCD_BIN = process.env["ETCD_BIN"];

/** How to start an etcd. */
export interface EtcdOptions {
  readonly binary: string;
  /** The name of its data folder within the run folder. It may have the data of an earlier server. */
  readonly data: string;
  /** As in {@link CofferOptions}. */
  readonly under?: readonly string[];
}

/** Starts `etcd`: one node, with client certificates. By default, its Puts are durable and its Gets linearizable. */
export async function startEtcd(folder: RunFolder, { binary, data, under = [] }: EtcdOptions): Promise<Server> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const { coffer, ca } = folder.pki;
  const [url, peerUrl] = [`https://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const command = [
    ...[...under, binary, "--data-dir", folder.at(data), "--log-level", "error"],
    ...["--listen-client-urls", url, "--advertise-client-urls", url],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", `default=${peerUrl}`],
    ...["--cert-file", coffer.certFile, "--key-file", coffer.keyFile],
    ...["--client-cert-auth", "--trusted-ca-file", ca.certFile],
  ];
  const child = new Child("etcd", command, logOf(folder, "etcd"));
  await child.waitUntil(() => accepts(port));
  return serverOf(folder, child, "etcd", port);
}

/** Puts secrets 0 to `secrets` - 1. Throws unless the server acknowledges each of them. */
export async function fill({ name, target }: Server, secrets: number): Promise<{ readonly seconds: number }> {
  const result = await runJob({
    target,
    operation: "put",
    numbers: { kind: "sequence", from: 0 },
    connections: 4,
    inFlight: 64,
    extent: { kind: "counted", calls: secrets },
  });
  if (result.calls !== secrets)
    throw new Error(
      `${name} acknowledged ${result.calls} of ${secrets} secrets; errors: ${JSON.stringify(result.errors)}`,
    );
  return result;
}

function serverOf(folder: RunFolder, child: Child, protocol: Target["protocol"], port: number): Server {
  const { api, ca } = folder.pki;
  const files = { cert: api.certFile, key: api.keyFile, bundle: ca.certFile };
  return { name: child.name, target: { protocol, port, pid: child.pid, ...files }, stop: () => child.stop() };
}

function mainOf(otherBuild: OtherBuild | undefined): string {
  return otherBuild === undefined ? pathOf("../src/main.js") : join(otherBuild.checkout, "dist/src/main.js");
}

function pathOf(module: string): string {
  return fileURLToPath(new URL(module, import.meta.url));
}

/** The log file of the server with this name. */
export function logOf(folder: RunFolder, name: string): string {
  return folder.at(`${name}.log`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.destroy());
    socket.once("error", () => {}); // the server does not listen yet
    socket.once("close", (hadError) => resolve(!hadError));
  });
}

async function isReady(opsPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).ok;
  } catch {
    return false; // the server does not listen yet
  }
}
