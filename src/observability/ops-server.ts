import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isMeantForUs } from "./asked-host.ts";
import type { Check, ServerStatus } from "./server-status.ts";
import { limitCrowd } from "./crowd-limit.ts";
import type { Logger } from "./logger.ts";
import type { Exposition } from "./metrics.ts";

/** What the ops server tells. */
export interface OpsSources {
  /** Asked at each /readyz. While the store loads, and from SIGTERM on, one of the checks says so. */
  readonly readiness: () => readonly Check[];
  /** Asked at each /metrics. */
  readonly metrics: () => Promise<Exposition>;
  /** Asked at each /status from this machine. */
  readonly status: () => ServerStatus;
  /** Told of answers that could not be made. */
  readonly log: Logger;
  /** Names with a dot by which it may be asked for, beside private ones and that of the address; none by default. */
  readonly hosts?: readonly string[];
}

/** Where the ops listener is: a host and a port; to listen, port 0 takes a free one. */
export interface OpsAddress {
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

/** Makes the answer for a client, whose address is that of the socket. */
type Page = (client: string) => Answer | Promise<Answer>;
type Pages = ReadonlyMap<string, Page>;

interface Site {
  readonly pages: Pages;
  readonly log: Logger;
  /** In lower case. */
  readonly hosts: ReadonlySet<string>;
}

/** Probes and scrapers are few, and ask with a few hundred bytes and at once; whoever does otherwise is cut off. */
const LIMITS: ServerOptions = {
  maxHeaderSize: 4096,
  headersTimeout: 5000,
  requestTimeout: 5000,
  connectionsCheckingInterval: 1000,
};
const MAX_CONNECTIONS = 64;

/**
 * The plain HTTP server for probes, Prometheus and operators: /livez, /readyz, /metrics and /status. Every client that
 * reaches it may read the first three, so they name no secrets and no workloads, and by default it listens on the
 * loopback address only. /status names the server's own identity and files, and is for clients on this machine alone.
 */
export class OpsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens. Rejects with the system's error, such as EADDRINUSE. */
  static async listen({ host, port }: OpsAddress, sources: OpsSources): Promise<OpsServer> {
    const site = { pages: pagesOf(sources), log: sources.log, hosts: namesOf(host, sources) };
    const server = createServer(LIMITS, (request, response) => void respond(site, request, response));
    limitCrowd(server, MAX_CONNECTIONS);
    server.listen(port, host);
    await once(server, "listening");
    // A connection that the system could not hand over: whoever asked notices. Without a listener the process would end.
    server.on("error", () => {});
    return new OpsServer(server);
  }

  /** Where it listens. */
  get address(): OpsAddress {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Ends every connection, in the middle of an answer if need be, and resolves when the port is free. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function pagesOf({ readiness, metrics, status }: OpsSources): Pages {
  return new Map<string, Page>([
    ["/livez", () => ({ status: 200, body: "ok\n" })],
    ["/readyz", () => readinessAnswer(readiness())],
    ["/metrics", async () => ({ status: 200, ...(await metrics()) })],
    ["/status", (client) => (isLoopback(client) ? statusAnswer(status()) : LOCAL_ONLY)],
  ]);
}

const LOCAL_ONLY: Answer = { status: 403, body: "/status is for clients on this machine alone\n" };

/** RFC 1122, 3.2.1.3 (127.0.0.0/8) and RFC 4291, 2.5.3, and the first as IPv6 sockets show it (RFC 4291, 2.5.5.2). */
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
    // Each question has a connection of its own: no idle one has to be waited for, or is held open by a stranger.
    connection: "close",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

const MISDIRECTED: Answer = {
  status: 421,
  body: "this is not the host that was asked for; ask by an address, or start the server with --ops-host\n",
};

async function answer(
  { pages, log, hosts }: Site,
  { method, url = "", headers, socket }: IncomingMessage,
): Promise<Answer> {
  if (!isMeantForUs(headers.host, hosts)) return MISDIRECTED;
  const [name = ""] = url.split("?", 1);
  const page = pages.get(name);
  if (page === undefined) return { status: 404, body: "there are /livez, /readyz, /metrics and /status\n" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
  try {
    return await page(socket.remoteAddress ?? "");
  } catch (error) {
    log.error("ops answer failed", { detail: name, error: error instanceof Error ? error.stack : String(error) });
    return { status: 500, body: "the answer could not be made; the log says why\n" };
  }
}
