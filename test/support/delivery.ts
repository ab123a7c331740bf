import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { processTimers } from "../../src/domain/timers.ts";
import { splitDer } from "../../src/x509/der.ts";
import { FileSource } from "../../src/identity/file-source.ts";
import { certificatePem, pemText } from "../../src/x509/pem.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import type { X509SvidResponse } from "../../src/workload-api/x509-messages.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";
import type { IdentityArguments } from "./server-process.ts";
import { KubernetesVolume, SpiffeHelper } from "./spiffe-helper.ts";
import { WorkloadApiServer } from "./workload-api-server.ts";

/** The two kinds of identity sources. */
export const DELIVERIES = ["files", "the Workload API"] as const;

/** Delivers the SVID and the bundles of one identity to a process. */
export interface Delivery {
  /** The flags and variables of `coffer` that name the source. */
  readonly arguments: IdentityArguments;
  /**
   * Replaces everything that was delivered before. With files, a bundle that `response` lacks becomes an empty file.
   */
  deliver(response: X509SvidResponse): Promise<void>;
  /** Opens the source in this process, as a client. */
  open(): IdentitySource;
  close(): Promise<void>;
}

/** The options of a delivery. */
export interface DeliveryOptions {
  readonly kind: (typeof DELIVERIES)[number];
  /** A folder that does not exist yet. */
  readonly folder: string;
  /** The trust domains with bundles, the workload's own one first. */
  readonly domains: readonly string[];
  /** The program whose way of writing files is imitated. */
  readonly writer: "spiffe-helper" | "Kubernetes";
}

/** Prepares a delivery. Nothing is delivered yet. */
export async function openDelivery(options: DeliveryOptions): Promise<Delivery> {
  mkdirSync(options.folder);
  return options.kind === "files" ? new FileDelivery(options) : WorkloadApiDelivery.start(options.folder);
}

/** A program that writes the files of an identity. */
type Writer = Pick<SpiffeHelper, "files" | "write">;

class FileDelivery implements Delivery {
  readonly #writer: Writer;
  readonly #domain: string;

  constructor({ folder, domains, writer }: DeliveryOptions) {
    this.#writer =
      writer === "spiffe-helper" ? new SpiffeHelper(folder, domains) : new KubernetesVolume(folder, domains);
    this.#domain = domains[0]!;
  }

  get arguments(): IdentityArguments {
    const { cert, key, bundles } = this.#writer.files;
    const named = [...bundles].flatMap(([name, file]) => ["--bundle", `${name}=${file}`]);
    return { flags: ["--cert", cert, "--key", key, ...named], environment: {} };
  }

  async deliver({ svids, federatedBundles }: X509SvidResponse): Promise<void> {
    const [own] = svids;
    const federated = federatedBundles.map(({ key, value }) => [key.replace("spiffe://", ""), pemOf(value)] as const);
    const delivered = new Map([[this.#domain, pemOf(own!.bundle)], ...federated]);
    const names = [...this.#writer.files.bundles.keys()];
    this.#writer.write({
      cert: pemOf(own!.x509Svid),
      key: pemText("PRIVATE KEY", own!.x509SvidKey),
      bundles: new Map(names.map((name) => [name, delivered.get(name) ?? ""])),
    });
  }

  open(): IdentitySource {
    return FileSource.open({ files: this.#writer.files, purpose: "client", timers: processTimers });
  }

  async close(): Promise<void> {}
}

function pemOf(certificates: Uint8Array): string {
  return certificatePem(splitDer(certificates));
}

class WorkloadApiDelivery implements Delivery {
  readonly #server: WorkloadApiServer;

  private constructor(server: WorkloadApiServer) {
    this.#server = server;
  }

  static async start(folder: string): Promise<Delivery> {
    return new WorkloadApiDelivery(await WorkloadApiServer.start(join(folder, "agent.sock")));
  }

  get arguments(): IdentityArguments {
    return { flags: [], environment: { SPIFFE_ENDPOINT_SOCKET: this.#server.endpoint } };
  }

  async deliver(response: X509SvidResponse): Promise<void> {
    this.#server.send(response);
  }

  open(): IdentitySource {
    const endpoint = parseEndpoint(this.#server.endpoint);
    return WorkloadApiSource.open({
      endpoint,
      selection: { kind: "default" },
      purpose: "client",
      timers: processTimers,
    });
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}
