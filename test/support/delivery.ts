import { lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { processTimers } from "../../src/domain/timers.ts";
import { splitDer } from "../../src/identity/der.ts";
import { FileSource, type IdentityFiles } from "../../src/identity/file-source.ts";
import { certificatePem, pemText } from "../../src/identity/pem.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { parseEndpoint } from "../../src/workload-api/endpoint.ts";
import type { X509SvidResponse } from "../../src/workload-api/messages.ts";
import { WorkloadApiSource } from "../../src/workload-api/workload-api-source.ts";
import type { IdentityArguments } from "./server-process.ts";
import { WorkloadApiServer } from "./workload-api-server.ts";

/** The two ways in which material reaches a process. */
export const DELIVERIES = ["files", "the Workload API"] as const;

/** How the material of one identity reaches a process. */
export interface Delivery {
  /** What `coffer` is told to find it. */
  readonly arguments: IdentityArguments;
  /** Replaces all that was delivered before. */
  deliver(response: X509SvidResponse): Promise<void>;
  /** Follows it in this process, as a client. */
  open(): IdentitySource;
  close(): Promise<void>;
}

/** How a delivery is to be made. */
export interface DeliveryOptions {
  readonly kind: (typeof DELIVERIES)[number];
  /** A folder that does not exist yet. */
  readonly folder: string;
  /** For which trust domains there are bundles, the own one first. */
  readonly domains: readonly string[];
  /** How files are written. */
  readonly write: WriteFiles;
}

/** Makes ready to deliver; nothing is there yet. */
export async function openDelivery(options: DeliveryOptions): Promise<Delivery> {
  mkdirSync(options.folder);
  return options.kind === "files" ? new FileDelivery(options) : WorkloadApiDelivery.start(options.folder);
}

/** Writes texts into a folder, by the name of the file. */
export type WriteFiles = (folder: string, files: readonly (readonly [name: string, text: string])[]) => Promise<void>;

/** As spiffe-helper does: each file is truncated and then written, one after the other, and others run in between. */
export const rewriteFiles: WriteFiles = async (folder, files) => {
  for (const [name, text] of files) {
    const file = join(folder, name);
    writeFileSync(file, "", { mode: 0o600 });
    await nextTurn();
    writeFileSync(file, text);
    await nextTurn();
  }
};

/** As Kubernetes does: a new folder, to which `..data` leads from one moment to the next. */
export const swapFolders: WriteFiles = async (folder, files) => {
  const fresh = `..${process.hrtime.bigint()}`;
  mkdirSync(join(folder, fresh));
  for (const [name, text] of files) {
    writeFileSync(join(folder, fresh, name), text, { mode: 0o600 });
    if (lstatSync(join(folder, name), { throwIfNoEntry: false }) === undefined) {
      symlinkSync(join("..data", name), join(folder, name));
    }
  }
  symlinkSync(fresh, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
};

class FileDelivery implements Delivery {
  readonly #files: IdentityFiles;
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    const at = (name: string) => join(options.folder, name);
    const bundles = new Map(options.domains.map((name) => [name, at(`${name}.pem`)]));
    this.#files = { cert: at("svid.pem"), key: at("svid_key.pem"), bundles };
  }

  get arguments(): IdentityArguments {
    const { cert, key, bundles } = this.#files;
    const named = [...bundles].flatMap(([name, file]) => ["--bundle", `${name}=${file}`]);
    return { flags: ["--cert", cert, "--key", key, ...named], environment: {} };
  }

  /** The bundles first: whoever sees the new SVID has seen them as well. */
  async deliver({ svids, federatedBundles }: X509SvidResponse): Promise<void> {
    const { folder, domains, write } = this.#options;
    const [own] = svids;
    const federated = federatedBundles.map(({ key, value }) => [key.replace("spiffe://", ""), value] as const);
    const bundles = new Map([[domains[0]!, own!.bundle], ...federated]);
    await write(folder, [
      ...domains.map((name) => [`${name}.pem`, pemOf(bundles.get(name) ?? Buffer.alloc(0))] as const),
      ["svid.pem", pemOf(own!.x509Svid)],
      ["svid_key.pem", pemText("PRIVATE KEY", own!.x509SvidKey)],
    ]);
  }

  open(): IdentitySource {
    return FileSource.open({ files: this.#files, purpose: "client", timers: processTimers });
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
