import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child, freePort } from "./child.ts";
import { type Target, runJob } from "./job.ts";
import type { Rival } from "./options.ts";
import { TRUST_DOMAIN, type Workshop } from "./workshop.ts";

/** A server that runs and takes calls. */
export interface Server {
  readonly name: string;
  readonly target: Target;
  stop(): Promise<void>;
}

/** A Coffer that runs. */
export interface CofferServer extends Server {
  /** The port of /metrics, on 127.0.0.1. */
  readonly opsPort: number;
}

/** (a): node:http2 alone, with one fixed answer. */
export function startBareHttp2(workshop: Workshop): Promise<Server> {
  return startBare(workshop, "http2", "./bare-http2.js");
}

/** (b): grpc-js with a Map. */
export function startBareGrpc(workshop: Workshop): Promise<Server> {
  return startBare(workshop, "grpc-js", "./bare-grpc.js");
}

async function startBare(workshop: Workshop, name: string, module: string): Promise<Server> {
  const port = await freePort();
  const { coffer, authority } = workshop.pki;
  const files = ["--cert", coffer.certFile, "--key", coffer.keyFile, "--bundle", authority.certFile];
  const child = new Child(
    name,
    [process.execPath, ...NODE_FLAGS, pathOf(module), "--port", `${port}`, ...files],
    logOf(workshop, name),
  );
  await child.waitUntil(() => accepts(port));
  return serverOf(workshop, child, "coffer", port);
}

/**
 * How docs/options.md says to run Coffer, and how every server here that is a Node program runs. With V8's own 16 MiB for
 * young objects, those of calls under way grow old in it, and the marking of a million secrets is due again and again.
 */
const NODE_FLAGS = ["--max-semi-space-size=64"];

/** What a Coffer of the bench may differ in. */
export interface CofferOptions {
  readonly name: string;
  /** The folder of its data, within the workshop. One that was used before is served again. */
  readonly data: string;
  /** Options for Node itself. */
  readonly nodeOptions?: readonly string[];
  /** More flags of `coffer serve`. */
  readonly flags?: readonly string[];
  /** Whose program and Node it is; by default ours. */
  readonly rival?: Rival | undefined;
}

/** (c): Coffer by its own command line, with everything on. Resolves once /readyz says 200. */
export async function startCoffer(workshop: Workshop, options: CofferOptions): Promise<CofferServer> {
  const { name, data, nodeOptions = [], flags = [], rival } = options;
  const [port, opsPort] = [await freePort(), await freePort()];
  const { coffer, authority } = workshop.pki;
  const command = [
    ...[rival?.node ?? process.execPath, ...NODE_FLAGS, ...nodeOptions, mainOf(rival), "serve"],
    ...["--listen", `127.0.0.1:${port}`, "--ops-listen", `127.0.0.1:${opsPort}`],
    ...["--data", workshop.at(data), "--root-key", workshop.rootKey, "--policy", workshop.policy],
    ...["--cert", coffer.certFile, "--key", coffer.keyFile],
    ...["--bundle", `${TRUST_DOMAIN.name}=${authority.certFile}`, ...flags],
  ];
  mkdirSync(workshop.at(data), { recursive: true, mode: 0o700 });
  const child = new Child(name, command, logOf(workshop, name));
  await child.waitUntil(() => isReady(opsPort));
  return { ...serverOf(workshop, child, "coffer", port), opsPort };
}

/** Our Coffer and those beside it, as what they are started with. */
export function coffers(rivals: readonly Rival[]): readonly Pick<CofferOptions, "name" | "rival">[] {
  return [{ name: "coffer" }, ...rivals.map((rival) => ({ name: rival.name, rival }))];
}

/** (d): etcd, one node, with client certificates. Its defaults make every Put durable and every Get linearizable. */
export async function startEtcd(workshop: Workshop, binary: string): Promise<Server> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const { coffer, authority } = workshop.pki;
  const [url, peerUrl] = [`https://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const command = [
    ...[binary, "--data-dir", workshop.at("etcd"), "--log-level", "error"],
    ...["--listen-client-urls", url, "--advertise-client-urls", url],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ...["--initial-cluster", `default=${peerUrl}`],
    ...["--cert-file", coffer.certFile, "--key-file", coffer.keyFile],
    ...["--client-cert-auth", "--trusted-ca-file", authority.certFile],
  ];
  const child = new Child("etcd", command, logOf(workshop, "etcd"));
  await child.waitUntil(() => accepts(port));
  return serverOf(workshop, child, "etcd", port);
}

/** Puts secrets 0 to `secrets` - 1. Throws unless each of them was acknowledged. */
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
    throw new Error(`${name} took ${result.calls} of ${secrets} secrets; errors: ${JSON.stringify(result.errors)}`);
  return result;
}

function serverOf(workshop: Workshop, child: Child, protocol: Target["protocol"], port: number): Server {
  const { api, authority } = workshop.pki;
  const files = { cert: api.certFile, key: api.keyFile, bundle: authority.certFile };
  return { name: child.name, target: { protocol, port, pid: child.pid, ...files }, stop: () => child.stop() };
}

function mainOf(rival: Rival | undefined): string {
  return rival === undefined ? pathOf("../src/main.js") : join(rival.checkout, "dist/src/main.js");
}

function pathOf(module: string): string {
  return fileURLToPath(new URL(module, import.meta.url));
}

/** Where a server of that name writes its log. */
export function logOf(workshop: Workshop, name: string): string {
  return workshop.at(`${name}.log`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.destroy());
    socket.once("error", () => {}); // nothing listens yet
    socket.once("close", (hadError) => resolve(!hadError));
  });
}

async function isReady(opsPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${opsPort}/readyz`)).ok;
  } catch {
    return false; // nothing listens yet
  }
}
