import { join } from "node:path";
import { CofferClient } from "../../src/client/coffer-client.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { splitDer } from "../../src/x509/der.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import type { X509SvidMessage } from "../../src/workload-api/x509-messages.ts";
import { type Delivery, type DeliveryOptions, openDelivery } from "../support/delivery.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;

interface Parts {
  readonly site: Site;
  readonly domain: SpireDomain;
  readonly deliveries: readonly [server: Delivery, client: Delivery];
}

/**
 * A server in its own process, and a client in this one, which is an administrator. Both follow the identities that the
 * test delivers. Files are written as spiffe-helper does for the server, and as Kubernetes does for the client.
 */
export class RotatingPair {
  readonly domain: SpireDomain;
  readonly server: ServerProcess;
  readonly identity: IdentitySource;
  readonly client: CofferClient;
  readonly #parts: Parts;
  #rotations = 0;

  private constructor(parts: Parts, server: ServerProcess, identity: IdentitySource) {
    this.#parts = parts;
    this.domain = parts.domain;
    this.server = server;
    this.identity = identity;
    this.client = this.connect(identity);
  }

  static async start(kind: DeliveryOptions["kind"]): Promise<RotatingPair> {
    const site = new Site();
    const domain = new SpireDomain("example.org", Date.now);
    const deliveryTo = (name: string, writer: DeliveryOptions["writer"]) =>
      openDelivery({ kind, folder: join(site.folder, name), domains: [domain.name], writer });
    const deliveries = [await deliveryTo("server", "spiffe-helper"), await deliveryTo("client", "Kubernetes")] as const;
    await Promise.all(
      deliveries.map((delivery, i) => delivery.deliver(response([domain.issue(PATHS[i]!, { ttl: HOUR })]))),
    );
    const parts = { site, domain, deliveries };
    try {
      return await RotatingPair.#begin(parts);
    } catch (error) {
      // Resources that are already open would prevent the test's process from exiting.
      await letGo(parts);
      throw error;
    }
  }

  static async #begin(parts: Parts): Promise<RotatingPair> {
    const [toServer, toClient] = parts.deliveries;
    const server = await parts.site.start({ identity: toServer.arguments, flags: ["--log-level", "debug"] });
    const identity = toClient.open();
    await whenReady(identity);
    return new RotatingPair(parts, server, identity);
  }

  /** A client with another identity. */
  connect(identity: Pick<IdentitySource, "snapshot" | "onChange">): CofferClient {
    const address = { kind: "tcp", host: "127.0.0.1", port: this.server.port } as const;
    const serverId = SpiffeId.parse(`spiffe://${this.domain.name}${PATHS[0]}`);
    return new CofferClient({ address, identity, serverId, timeoutMs: PATIENCE_MS, retry: false });
  }

  /**
   * Delivers new SVIDs, and the current bundle of the trust domain. Resolves with the client's SVID when both sides
   * have adopted theirs. The SVIDs are valid for `ttl` milliseconds. The default is an hour, and increases each time,
   * so that SVIDs can be distinguished by their expiry.
   */
  async rotate(ttl = HOUR + ++this.#rotations * MINUTE): Promise<X509SvidMessage> {
    const [forServer, forClient] = PATHS.map((path) => this.domain.issue(path, { ttl }));
    const adopted = [this.#adoptedByServer(forServer!), this.#adoptedByClient(forClient!)];
    const [server, client] = this.#parts.deliveries;
    await Promise.all([server.deliver(response([forServer!])), client.deliver(response([forClient!]))]);
    await Promise.all(adopted);
    return forClient!;
  }

  async stop(): Promise<void> {
    await this.client.close();
    this.identity.close();
    await letGo(this.#parts);
  }

  async #adoptedByServer(svid: X509SvidMessage): Promise<void> {
    const validUntil = new Date(endOf(svid)).toISOString();
    await this.server.logged("identity updated", (line) => line["valid_until"] === validUntil);
  }

  #adoptedByClient(svid: X509SvidMessage): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.identity.onChange(({ validUntil }) => {
        if (validUntil !== endOf(svid)) return;
        stop();
        resolve();
      });
    });
  }
}

async function letGo({ site, deliveries }: Parts): Promise<void> {
  await Promise.all(deliveries.map((delivery) => delivery.close()));
  await site.remove();
}

/** The paths of the SPIFFE IDs of the server and of the client, which is ADMIN. */
const PATHS = ["/coffer", "/admin"];

/** When an SVID expires, in milliseconds since the epoch. */
function endOf({ x509Svid }: X509SvidMessage): number {
  return parseCertificate(splitDer(x509Svid)[0]!).notAfter;
}
