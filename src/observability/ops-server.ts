import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isMeantForUs } from "./asked-host.ts";
import type { Check } from "./check.ts";
import { limitCrowd } from "./crowd-limit.ts";
import type { Logger } from "./logger.ts";
import type { Exposition } from "./metrics.ts";

/** What the ops server tells. */
export interface OpsSources {
  /** Asked at each /readyz. While the store loads, and from SIGTERM on, one of the checks says so. */
  readonly readiness: () => readonly Check[];
  /** Asked at each /metrics. */
  readonly metrics: () => Promise<Exposition>;
  /** Told of answers that could not be made. */
  readonly log: Logger;
  /** Names with a dot by which it may be asked for, beside private ones and that of the address; none by default. */
  readonly hosts?: readonly string[];
}

/** Where to listen: a host and a port; port 0 takes a free one. */
export interface OpsAddress {
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

type Page = () => Answer | Promise<Answer>;
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
 * The plain HTTP server for probes and Prometheus: /livez, /readyz and /metrics. Whoever can reach it may read it, so it
 * tells no names of secrets or workloads, and by default listens on the loopback address only.
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

function pagesOf({ readiness, metrics }: OpsSources): Pages {
  return new Map<string, Page>([
    ["/livez", () => ({ status: 200, body: "ok\n" })],
    ["/readyz", () => readinessAnswer(readiness())],
    ["/metrics", async () => ({ status: 200, ...(await metrics()) })],
  ]);
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

async function answer({ pages, log, hosts }: Site, { method, url = "", headers }: IncomingMessage): Promise<Answer> {
  if (!isMeantForUs(headers.host, hosts)) return MISDIRECTED;
  const name = url.split("?", 1)[0]!;
  const page = pages.get(name);
  if (page === undefined) return { status: 404, body: "there are /livez, /readyz and /metrics\n" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
  try {
    return await page();
  } catch (error) {
    log.error("ops answer failed", { detail: name, error: error instanceof Error ? error.stack : String(error) });
    return { status: 500, body: "the answer could not be made; the log says why\n" };
  }
}
