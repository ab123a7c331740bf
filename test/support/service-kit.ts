import { toCofferError } from "../../src/grpc/status.ts";
import type { Connection } from "../../src/admission/connection.ts";
import { Authorizer } from "../../src/authorization/authorizer.ts";
import type { Policy } from "../../src/authorization/policy.ts";
import { leadingString } from "../../src/contract/leading-string.ts";
import type { Denial } from "../../src/engine/permits.ts";
import { SecretsEngine } from "../../src/engine/secrets-engine.ts";
import { type SecretsMethods, secretsMethods } from "../../src/grpc/secrets-service.ts";
import type { UnaryMethod } from "../../src/grpc/unary.ts";
import { SpiffeId } from "../../src/spiffe/spiffe-id.ts";
import type { SecretStore } from "../../src/store/secret-store.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { policyOf } from "./policy-text.ts";
import { type StoreKitOptions, loadStore } from "./store-kit.ts";

/** Everything is allowed to api, on every path. */
const EVERYTHING = policyOf(`
rules:
  - name: everything
    spiffe_ids: [spiffe://example.org/api]
    paths: ["**"]
    actions: [read, write, delete, destroy, list, describe]
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

/** The methods over an engine and a store in memory, without a network: each call encodes and decodes its request. */
export class ServiceKit {
  readonly store: SecretStore;
  readonly denials: Denial[] = [];
  policy: Policy = EVERYTHING;
  readonly #methods: SecretsMethods;

  private constructor(store: SecretStore, sealer: ReturnType<typeof openStorage>["sealer"], maxContentBytes: number) {
    this.store = store;
    const engine = new SecretsEngine({
      secrets: store,
      changes: store,
      sealer,
      authorizer: () => new Authorizer({ policy: this.policy, admins: [], epoch: 1 }),
      onDenied: (denial) => this.denials.push(denial),
    });
    this.#methods = secretsMethods(engine, maxContentBytes);
  }

  static async open(options: StoreKitOptions = {}): Promise<ServiceKit> {
    const { journal, sealer } = openStorage({ kind: "memory" });
    const { maxContentBytes = 1024 * 1024 } = options;
    return new ServiceKit(await loadStore(journal, { sealer, ...options, maxContentBytes }), sealer, maxContentBytes);
  }

  method(name: keyof SecretsMethods): UnaryMethod<object, object, unknown> {
    return this.#methods[name] as unknown as UnaryMethod<object, object, unknown>;
  }

  /** Makes a call with some fields; the others are absent. */
  async call(name: keyof SecretsMethods, fields: object, id = API_ID): Promise<ServiceOutcome> {
    const { request } = this.method(name);
    return this.raw(name, request.encode(request.of(fields)), id);
  }

  /** Makes a call with the bytes of a request. */
  async raw(name: keyof SecretsMethods, message: Buffer, id = API_ID): Promise<ServiceOutcome> {
    const method = this.method(name);
    try {
      const target = method.target === undefined ? "" : leadingString(message, method.target);
      const caller = { id: SpiffeId.parse(id), connection: 1 } as Connection;
      const permit = method.permit(caller, target);
      const response = await method.handle(permit, method.request.decode(message), () => false);
      return { kind: "response", response: response as never };
    } catch (error) {
      const { reason, metadata, message: text, cause } = toCofferError(error);
      if (reason === "INTERNAL") throw cause;
      return { kind: "error", reason, field: metadata["field"], metadata, message: text };
    }
  }
}
