import type { ClientOptions } from "../../src/client/client-options.ts";
import type { CofferClient } from "../../src/client/coffer-client.ts";
import { HoldingProxy } from "./holding-proxy.ts";
import { PATIENCE_MS } from "./patience.ts";
import { ADMIN } from "./server-kit.ts";
import { type ServerProcess, Site } from "./server-process.ts";

/** A server that clients call through a proxy, which stays when the server is killed and started again. */
export class ProxiedServer {
  readonly proxy: HoldingProxy;
  readonly #site: Site;
  readonly #flags: readonly string[];
  #server: ServerProcess;
  #direct: CofferClient;

  private constructor(site: Site, flags: readonly string[], server: ServerProcess, proxy: HoldingProxy) {
    this.proxy = proxy;
    this.#site = site;
    this.#flags = flags;
    this.#server = server;
    this.#direct = this.#client(server.port);
  }

  /** `flags` are additional flags of `coffer serve`. */
  static async start(flags: readonly string[] = []): Promise<ProxiedServer> {
    const site = new Site();
    const server = await site.start({ flags });
    return new ProxiedServer(site, flags, server, await HoldingProxy.start(server.port));
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
    this.proxy.redirect(this.#server.port);
    await this.#direct.close();
    this.#direct = this.#client(this.#server.port);
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
