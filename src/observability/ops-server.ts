import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isOwnHost } from "./requested-host.ts";
import type { Check, ServerStatus } from "./server-status.ts";
import { limitConnections } from "./connection-limit.ts";
import type { Logger } from "./logger.ts";
import type { Exposition } from "./metrics.ts";

/** Where the ops server gets the content of its pages. */
export interface OpsSources {
  /**
   * Called for each request for /readyz. At least one check fails until the server serves calls, and from SIGTERM on.
   */
  readonly readiness: () => readonly Check[];
  /** Called for each request for /metrics. */
  readonly metrics: () => Promise<Exposition>;
  /** Called for each request for /status from this machine. Default: there is no such page. */
  readonly status?: () => ServerStatus;
  /** Logs responses that could not be produced. */
  readonly log: Logger;
  /**
   * Host names that a request may have in its Host header, in addition to the listening host and to those that
   * {@link isOwnHost} always accepts. Default: none.
   */
  readonly hosts?: readonly string[];
}

/** The address of the ops listener. With port 0, the system chooses a free port. */
export interface OpsAddress {
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

/** Produces the response for a client. `client` is the address of its socket. */
type Page = (client: string) => Answer | Promise<Answer>;
type Pages = ReadonlyMap<string, Page>;

interface Site {
  readonly pages: Pages;
  readonly log: Logger;
  /** In lower case. */
  readonly hosts: ReadonlySet<string>;
}

/** Probes and scrapers are few, and send a few hundred bytes immediately. Other clients are disconnected. */
const LIMITS: ServerOptions = {
  maxHeaderSize: 4096,
  headersTimeout: 5000,
  requestTimeout: 5000,
  connectionsCheckingInterval: 1000,
};
const MAX_CONNECTIONS = 64;

/**
 * The plain HTTP server for probes, Prometheus and operators: /livez, /readyz, /metrics and /status. Every client that
 * reaches it may read the first three, so they contain no names of secrets or workloads. By default it listens only on
 * the loopback address. /status contains the server's own identity and files, and is served only to clients on this
 * machine.
 */
export class OpsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Starts to listen. Rejects with the error of the system, such as EADDRINUSE. */
  static async listen({ host, port }: OpsAddress, sources: OpsSources): Promise<OpsServer> {
    const site = { pages: pagesOf(sources), log: sources.log, hosts: namesOf(host, sources) };
    const server = createServer(LIMITS, (request, response) => void respond(site, request, response));
    limitConnections(server, MAX_CONNECTIONS);
    server.listen(port, host);
    await once(server, "listening");
    // The system could not accept a connection, which its client notices. Without this listener, the error would end
    // the process.
    server.on("error", () => {});
    return new OpsServer(server);
  }

  /** The address on which it listens. */
  get address(): OpsAddress {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Closes all connections, even in the middle of a response, and resolves when the port is free. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function pagesOf({ readiness, metrics, status }: OpsSources): Pages {
  const pages = new Map<string, Page>([
    ["/livez", () => ({ status: 200, body: "ok\n" })],
    ["/readyz", () => readinessAnswer(readiness())],
    ["/metrics", async () => ({ status: 200, ...(await metrics()) })],
  ]);
  if (status !== undefined)
    pages.set("/status", (client) => (isLoopback(client) ? statusAnswer(status()) : LOCAL_ONLY));
  return pages;
}

const LOCAL_ONLY: Answer = { status: 403, body: "/status is only for clients on this machine\n" };

/**
 * 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::1 (RFC 4291, 2.5.3), and 127.0.0.0/8 as IPv6 sockets report it (RFC 4291,
 * 2.5.5.2).
 */
function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

function statusAnswer(status: ServerStatus): Answer {
  return { status: 200, contentType: "application/json", body: `${JSON.stringify(status)}\n` };
}

function readinessAnswer(checks: readonly Check[]): Answer {
  const lines = checks.map((check) => `${check.name} ${check.state}${check.state === "ok" ? "" : `: ${check.why}`}\n`);
  return { status: checks.every((check) => check.state === "ok") ? 200 : 503, body: lines.join("") };
}

function namesOf(host: string, { hosts = [] }: OpsSources): ReadonlySet<string> {
  return new Set([host, ...hosts].map((name) => name.toLowerCase()));
}

async function respond(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, contentType = "text/plain; charset=utf-8", body } = await answer(site, request);
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    // One connection for each request, so that no client can hold idle connections open, and a shutdown need not wait
    // for them.
    connection: "close",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

const MISDIRECTED: Answer = {
  status: 421,
  body: "this server does not serve the requested host; use an IP address, or start the server with --ops-host\n",
};

async function answer(
  { pages, log, hosts }: Site,
  { method, url = "", headers, socket }: IncomingMessage,
): Promise<Answer> {
  if (!isOwnHost(headers.host, hosts)) return MISDIRECTED;
  const [name = ""] = url.split("?", 1);
  const page = pages.get(name);
  if (page === undefined) return { status: 404, body: `not found; the pages are ${[...pages.keys()].join(", ")}\n` };
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD are allowed\n" };
  try {
    return await page(socket.remoteAddress ?? "");
  } catch (error) {
    log.error("ops response failed", { detail: name, error: error instanceof Error ? error.stack : String(error) });
    return { status: 500, body: "the response could not be produced; the log has the reason\n" };
  }
}
