import type { ClientOptions } from "../../src/client/client-options.ts";
import type { CofferClient } from "../../src/client/coffer-client.ts";
import { freePort } from "./free-port.ts";
import { HoldingProxy } from "./holding-proxy.ts";
import { PATIENCE_MS } from "./patience.ts";
import { ADMIN } from "./server-kit.ts";
import { type ServerProcess, Site } from "./server-process.ts";

/** Where a server listens: the port, and the flags with it and others. */
interface Listening {
  readonly port: number;
  readonly flags: readonly string[];
}

/** A server that clients call through a proxy, which stays when the server is killed and started again. */
export class ProxiedServer {
  readonly proxy: HoldingProxy;
  readonly #site: Site;
  readonly #flags: readonly string[];
  readonly #port: number;
  #server: ServerProcess;
  #direct: CofferClient;

  private constructor(site: Site, { flags, port }: Listening, server: ServerProcess, proxy: HoldingProxy) {
    this.proxy = proxy;
    this.#site = site;
    this.#flags = flags;
    this.#port = port;
    this.#server = server;
    this.#direct = this.#client(port);
  }

  /** `flags` are additional flags of `coffer serve`. */
  static async start(flags: readonly string[] = []): Promise<ProxiedServer> {
    const site = new Site();
    // While the server is down, no other program can get this port.
    const port = await freePort();
    const listening = { port, flags: ["--listen", `127.0.0.1:${port}`, ...flags] };
    return new ProxiedServer(site, listening, await site.start(listening), await HoldingProxy.start(port));
  }

  /** A client that calls the server without the proxy. A restart replaces it. */
  get direct(): CofferClient {
    return this.#direct;
  }

  /** A client that calls the server through the proxy. */
  client(options: Partial<ClientOptions> = {}): CofferClient {
    return this.#client(this.proxy.port, options);
  }

  /** Kills the server and starts it again. */
  async restart(): Promise<void> {
    await this.#server.kill();
    this.#server = await this.#site.start({ flags: this.#flags });
    await this.#direct.close();
    this.#direct = this.#client(this.#port);
  }

  async stop(): Promise<void> {
    await this.#direct.close();
    await this.proxy.stop();
    await this.#site.remove();
  }

  #client(port: number, options: Partial<ClientOptions> = {}): CofferClient {
    return this.#site.client(ADMIN, { address: `127.0.0.1:${port}`, timeoutMs: PATIENCE_MS, ...options });
  }
}
