import { toCofferError } from "../../src/grpc/status.ts";
import type { Connection } from "../../src/admission/connection.ts";
import { Authorizer } from "../../src/authorization/authorizer.ts";
import type { Policy } from "../../src/authorization/policy.ts";
import { leadingString } from "../../src/contract/leading-string.ts";
import * as wire from "../../src/contract/messages.ts";
import type { Denial } from "../../src/engine/permits.ts";
import { authorizeChanges } from "../../src/engine/authorized-changes.ts";
import { SecretsEngine } from "../../src/engine/secrets-engine.ts";
import type { AnswerableCall } from "../../src/grpc/authorized-route.ts";
import { type SecretsMethods, secretsMethods } from "../../src/grpc/secrets-service.ts";
import type { UnaryMethod } from "../../src/grpc/unary.ts";
import { watchRoute } from "../../src/grpc/watch-route.ts";
import { parsePathPrefix } from "../../src/domain/secret-path.ts";
import { processTimers } from "../../src/domain/timers.ts";
import { secureRandom } from "../../src/sealing/random.ts";
import type { Sealer } from "../../src/sealing/sealer.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import { type Publication, ownMemory } from "../../src/store/publication.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { StoreClock } from "../../src/store/store-clock.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { VersionsInUse } from "../../src/watch/versions-in-use.ts";
import { WatchHub } from "../../src/watch/watch-hub.ts";
import { policyOf } from "./policy-text.ts";
import { type StoreKitOptions, loadStore } from "./store-kit.ts";

/** Everything is allowed to api, on every path. */
const EVERYTHING = policyOf(`
rules:
  - name: everything
    spiffe_ids: [spiffe://example.org/api]
    paths: ["**"]
    actions: [read, write, delete, destroy, list, describe, watch]
`);

/** The result of a call: a response, or the parts of an error that a caller gets. */
export type ServiceOutcome =
  | { readonly kind: "response"; readonly response: never }
  | {
      readonly kind: "error";
      readonly reason: string;
      readonly field: string | undefined;
      readonly metadata: Readonly<Record<string, string>>;
      readonly message: string;
    };

export const API_ID = "spiffe://example.org/api";

/** The identity of an open watch of all paths by {@link API_ID}. */
export const API_WATCH_ID = "A".repeat(22);

interface KitOptions {
  readonly maxContentBytes: number;
  readonly watchers: VersionsInUse;
}

/** A method of the service by its name. */
export type ServiceMethod = keyof SecretsMethods | "Watch";

/** The methods over an engine and a store in memory, without a network: each call encodes and decodes its request. */
export class ServiceKit {
  readonly store: SecretStore;
  readonly denials: Denial[] = [];
  #policy = EVERYTHING;
  #epoch = 1;
  readonly #engine: SecretsEngine;
  readonly #methods: SecretsMethods;
  readonly #watches: WatchHub;

  private constructor(store: SecretStore, { memory }: Publication, sealer: Sealer, options: KitOptions) {
    const { maxContentBytes, watchers } = options;
    this.store = store;
    const authorizer = () => this.authorizer;
    this.#engine = new SecretsEngine({
      secrets: store,
      changes: store,
      watchers,
      sealer,
      authorizer,
      onDenied: (denial) => this.denials.push(denial),
    });
    this.#methods = secretsMethods(this.#engine, maxContentBytes);
    this.#watches = new WatchHub({
      ...{ memory, sealer, authorizer, registry: watchers, timers: processTimers, random: secureRandom },
      clock: new StoreClock(processTimers),
    });
  }

  static async open(options: StoreKitOptions = {}): Promise<ServiceKit> {
    const { journal, sealer } = openStorage({ kind: "memory" });
    const { maxContentBytes = 1024 * 1024 } = options;
    const publication = ownMemory();
    const watchers = new VersionsInUse({ memory: publication.memory, authorizer: () => kit.authorizer });
    const authorize = authorizeChanges(() => kit.authorizer);
    const parts = { sealer, publication, watchers, authorize };
    const store = await loadStore(journal, { ...parts, ...options, maxContentBytes });
    const kit: ServiceKit = new ServiceKit(store, publication, sealer, { maxContentBytes, watchers });
    watchers.opened({ watchId: API_WATCH_ID, caller: API_ID, paths: [], prefixes: [parsePathPrefix("")] }, () => {});
    return kit;
  }

  get authorizer(): Authorizer {
    return new Authorizer({ policy: this.#policy, admins: [], epoch: this.#epoch });
  }

  set policy(policy: Policy) {
    this.#policy = policy;
    this.#epoch += 1;
  }

  method(name: keyof SecretsMethods): UnaryMethod<object, object, unknown> {
    return this.#methods[name] as unknown as UnaryMethod<object, object, unknown>;
  }

  /** Makes a call with some fields; the others are absent. A Watch ends at once. */
  async call(name: ServiceMethod, fields: object, id = API_ID): Promise<ServiceOutcome> {
    if (name === "Watch") return this.#watch(wire.watchRequest.encode(wire.watchRequest.of(fields)), id);
    const { request } = this.method(name);
    return this.raw(name, request.encode(request.of(fields)), id);
  }

  /** Makes a call with the bytes of a request. */
  async raw(name: keyof SecretsMethods, message: Buffer, id = API_ID): Promise<ServiceOutcome> {
    const method = this.method(name);
    try {
      const target = method.target === undefined ? "" : leadingString(message, method.target);
      const permit = method.permit(callerOf(id), target);
      const response = await method.handle(permit, method.request.decode(message), () => false);
      return { kind: "response", response: response as never };
    } catch (error) {
      return failed(error);
    }
  }

  #watch(message: Buffer, id: string): ServiceOutcome {
    let outcome: ServiceOutcome = { kind: "response", response: {} as never };
    const permit = (caller: Connection) => this.#engine.permitWatch(caller);
    const call = {
      caller: callerOf(id),
      isOver: true,
      beginStream: () => ({}),
      fail: (error: unknown) => (outcome = failed(error)),
      wipeRequest: () => {},
    };
    const route = watchRoute(
      { path: "/coffer.v1.Secrets/Watch", number: 0 },
      { permit, watches: this.#watches, counts: { watches: 0, events: 0 } },
    );
    route.answer(call as unknown as AnswerableCall, message);
    return outcome;
  }
}

function callerOf(id: string): Connection {
  return { id: SpiffeId.parse(id), connection: 1, validUntil: Number.MAX_SAFE_INTEGER } as Connection;
}

function failed(error: unknown): ServiceOutcome {
  const { reason, metadata, message, cause } = toCofferError(error);
  if (reason === "INTERNAL") throw cause;
  return { kind: "error", reason, field: metadata["field"], metadata, message };
}
