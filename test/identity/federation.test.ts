import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CofferClient } from "../../src/client/coffer-client.ts";
import type { IdentitySource } from "../../src/identity/source.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { whenReady } from "../../src/identity/when-ready.ts";
import type { X509SvidMessage, X509SvidResponse } from "../../src/workload-api/x509-messages.ts";
import { DELIVERIES, type Delivery, type DeliveryOptions, openDelivery } from "../support/delivery.ts";
import { type ServerProcess, Site } from "../support/server-process.ts";
import { response, SpireDomain } from "../support/spire-domain.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { HeldStream } from "./held-stream.ts";

const COFFER = SpiffeId.parse("spiffe://example.org/coffer");

/** A server of example.org in its own process, which also trusts other.org, and callers of both trust domains. */
class Federation {
  readonly example = new SpireDomain("example.org", Date.now);
  readonly other = new SpireDomain("other.org", Date.now);
  readonly #kind: DeliveryOptions["kind"];
  readonly #site = new Site();
  readonly #closers: (() => unknown)[] = [];
  #delivery: Delivery | undefined;
  #server: ServerProcess | undefined;

  private constructor(kind: DeliveryOptions["kind"]) {
    this.#kind = kind;
  }

  static async start(kind: DeliveryOptions["kind"]): Promise<Federation> {
    const federation = new Federation(kind);
    try {
      await federation.#begin();
    } catch (error) {
      // Resources that are already open would prevent the test's process from exiting.
      await federation.stop();
      throw error;
    }
    return federation;
  }

  get server(): ServerProcess {
    return this.#server!;
  }

  trustBoth(): Promise<void> {
    return this.#delivery!.deliver(response([this.example.issue("/coffer")], this.other.federated));
  }

  /** Removes the bundle of other.org from the server. The server's SVID and the bundle of example.org stay valid. */
  trustExampleOnly(): Promise<void> {
    return this.#delivery!.deliver(response([this.example.issue("/coffer")]));
  }

  /** A workload of example.org. */
  local(): Promise<Member> {
    const svid = this.example.issue("/member");
    return this.#admit([this.example], response([svid]));
  }

  /** A workload of other.org, which also trusts example.org. */
  foreign(): Promise<Member> {
    const svid = this.other.issue("/member");
    return this.#admit([this.other, this.example], response([svid], this.example.federated));
  }

  /** A stream of a client with this SVID. */
  hold(svid: X509SvidMessage): Promise<HeldStream> {
    return HeldStream.open(this.server.port, svid);
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) await close();
    await this.#site.remove();
  }

  async #begin(): Promise<void> {
    this.#delivery = await this.#open("server", [this.example, this.other]);
    await this.trustBoth();
    this.#server = await this.#site.start({ identity: this.#delivery.arguments });
  }

  async #admit(domains: readonly SpireDomain[], material: X509SvidResponse): Promise<Member> {
    const delivery = await this.#open(`member-${this.#closers.length}`, domains);
    await delivery.deliver(material);
    const identity: IdentitySource = delivery.open();
    await whenReady(identity);
    const address = { kind: "tcp", host: "127.0.0.1", port: this.server.port } as const;
    const client = new CofferClient({ address, identity, serverId: COFFER, timeoutMs: PATIENCE_MS, retry: false });
    const stream = await this.hold(material.svids[0]!);
    this.#closers.unshift(
      () => stream.close(),
      () => client.close(),
      () => identity.close(),
    );
    return { client, stream };
  }

  async #open(name: string, domains: readonly SpireDomain[]): Promise<Delivery> {
    const folder = join(this.#site.folder, name);
    const named = domains.map((domain) => domain.name);
    const delivery = await openDelivery({ kind: this.#kind, folder, domains: named, writer: "spiffe-helper" });
    this.#closers.push(() => delivery.close());
    return delivery;
  }
}

/** A caller, and a stream that it keeps open on another connection. */
interface Member {
  readonly client: CofferClient;
  readonly stream: HeldStream;
}

describe("federation", { concurrency: true }, () => {
  for (const kind of DELIVERIES) {
    // After a trust domain is removed, its workloads are refused and their open streams end. Others are not affected.
    // The workloads connect again when the trust domain is restored.
    it(`accepts the workloads of a trust domain while its bundle is present, with identities from ${kind}`, async () => {
      const federation = await Federation.start(kind);
      try {
        const local = await federation.local();
        const foreign = await federation.foreign();
        assert.deepEqual(await Promise.all([local.client.health(), foreign.client.health()]), ["SERVING", "SERVING"]);

        await federation.trustExampleOnly();
        await foreign.stream.closed;
        // The line is written when every front has the bundles. Another front can still serve the client before.
        const distrusted = await federation.server.logged(
          "identity updated",
          ({ detail }) => !/other\.org [1-9]/.test(String(detail)),
        );
        await assert.rejects(foreign.client.health(), { code: "UNAVAILABLE" });
        await assert.rejects(federation.hold(federation.other.issue("/member")), /closed/);
        await federation.server.logged(
          "connection refused",
          ({ spiffe_id, reason }) => spiffe_id === "spiffe://other.org/member" && isDistrust(reason),
        );
        assert.equal(await local.client.health(), "SERVING");
        await local.stream.ping();

        await federation.trustBoth();
        await federation.server.logged(
          "identity updated",
          ({ generation, detail }) =>
            Number(generation) > Number(distrusted["generation"]) && /other\.org 1$/.test(String(detail)),
        );
        // A new client, because the first one reconnects only after a pause.
        const returned = await federation.foreign();
        assert.equal(await returned.client.health(), "SERVING");
        await local.stream.ping();
      } finally {
        await federation.stop();
      }
    });

    // If the bundles were merged, every federated CA could issue SVIDs of every trust domain, including the server's.
    it(`accepts no SVID of one trust domain that a CA of another issued, with identities from ${kind}`, async () => {
      const federation = await Federation.start(kind);
      try {
        const { example, other } = federation;
        const id = "spiffe://example.org/member";
        const member = await federation.hold(example.issue("/member", { id }));
        member.close();
        await assert.rejects(federation.hold(other.issue("/member", { id })), /closed/);
        const refused = await federation.server.logged("connection refused", ({ spiffe_id }) => spiffe_id === id);
        assert.equal(refused["reason"], "untrusted");
      } finally {
        await federation.stop();
      }
    });
  }
});

/**
 * Whether a refusal has the reason of a removed bundle: `no-bundle` with the Workload API, or `untrusted` with files,
 * where the file of the bundle is empty.
 */
function isDistrust(reason: unknown): boolean {
  return reason === "no-bundle" || reason === "untrusted";
}
