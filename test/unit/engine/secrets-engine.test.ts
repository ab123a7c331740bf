import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Authorizer } from "../../../src/authorization/authorizer.ts";
import type { Policy } from "../../../src/authorization/policy.ts";
import { CofferError } from "../../../src/domain/errors.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { type Call, type Denial, type ListPermit, SecretsEngine } from "../../../src/engine/secrets-engine.ts";
import type { Principal } from "../../../src/spiffe/principal.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import type { SecretStore } from "../../../src/store/secret-store.ts";
import { policyOf } from "../../support/policy-text.ts";
import { loadStore, outcomeOf, textContent } from "../../support/store-kit.ts";

const SERVER = SpiffeId.parse("spiffe://example.org/coffer");
const api: Principal = { id: SpiffeId.parse("spiffe://example.org/api"), connection: 1 };
const web: Principal = { id: SpiffeId.parse("spiffe://example.org/web"), connection: 2 };
const server: Principal = { id: SERVER, connection: 3 };

const FULL = policyOf(`
rules:
  - name: api
    spiffe_ids: [spiffe://example.org/api, spiffe://example.org/coffer]
    paths: [shop/**]
    actions: [read, write, delete, destroy, list, describe]
`);

const PATH_CALLS = ["Put", "Get", "Delete", "Describe"] as const;
const NEVER_OVER = () => false;

/** An engine over a real store and a real sealer. It records every use of the store, and every denial. */
class EngineKit {
  readonly engine: SecretsEngine;
  readonly denials: Denial[] = [];
  /** The members of the store that the engine has read, in order. */
  readonly used: PropertyKey[] = [];
  policy: Policy = FULL;
  /** How often the engine has requested the current authorizer. */
  asked = 0;

  private constructor(store: SecretStore, sealer: ReturnType<typeof openStorage>["sealer"]) {
    const recorded = new Proxy(store, {
      get: (target, name) => {
        this.used.push(name);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    this.engine = new SecretsEngine({
      secrets: recorded,
      changes: recorded,
      sealer,
      authorizer: () => {
        this.asked += 1;
        return new Authorizer({ policy: this.policy, admins: [], server: SERVER, epoch: this.asked });
      },
      onDenied: (denial) => this.denials.push(denial),
    });
  }

  static async open(): Promise<EngineKit> {
    const { journal, sealer } = openStorage({ kind: "memory" });
    return new EngineKit(await loadStore(journal, { sealer }), sealer);
  }

  /** A complete call: the permit, then the action. Rejects or throws the engine's error. */
  async call(caller: Principal, call: Call, target: string): Promise<unknown> {
    const { engine } = this;
    if (call === "List")
      return engine.list(engine.permitList(caller, target), { pageSize: 10, pageToken: "" }, NEVER_OVER);
    const permit = engine.permit(caller, call, target);
    if (call === "Put") return engine.put(permit, textContent("v"), undefined);
    if (call === "Get") return engine.get(permit, 0);
    if (call === "Delete") return engine.delete(permit, [], undefined);
    return engine.describe(permit);
  }

  page(permit: ListPermit, pageToken = "", pageSize = 1) {
    return this.engine.list(permit, { pageSize, pageToken }, NEVER_OVER);
  }
}

describe("SecretsEngine", () => {
  let kit: EngineKit;
  beforeEach(async () => {
    kit = await EngineKit.open();
  });

  // For a caller without a rule, the engine does not use the store. So neither the answer nor its time can reveal
  // whether the secret exists.
  for (const call of [...PATH_CALLS, "List"] as const) {
    it(`authorizes ${call} before it uses the store, and reports the denial`, async () => {
      await kit.call(api, "Put", "shop/db");
      kit.used.length = 0;
      const target = call === "List" ? "shop/" : "shop/db";
      assert.equal(await outcomeOf(kit.call(web, call, target)), "ACCESS_DENIED");
      assert.deepEqual(kit.used, []);
      assert.deepEqual(kit.denials, [{ caller: web, call, target, decision: { kind: "denied", because: "no rule" } }]);

      // The control: the same call of a caller with a rule uses the store, and no denial is reported.
      await kit.call(api, call, target);
      assert.deepEqual(kit.used, [call.toLowerCase()]);
      assert.equal(kit.denials.length, 1);
    });
  }

  it("denies with the same message whether or not the secret exists", async () => {
    await kit.call(api, "Put", "shop/db");
    const messageOf = async (path: string) => {
      const error = await kit.call(web, "Get", path).catch((reason: unknown) => reason);
      assert.ok(error instanceof CofferError);
      return error.message.replace(path, "PATH");
    };
    assert.equal(await messageOf("shop/db"), await messageOf("shop/gone"));
    // The control: a caller with a rule gets different results.
    assert.equal(await outcomeOf(kit.call(api, "Get", "shop/gone")), "SECRET_NOT_FOUND");
  });

  it("requires a separate action for each call: a rule for one action allows no other call", async () => {
    await kit.call(api, "Put", "shop/db");
    const actions = { Put: "write", Get: "read", Delete: "delete", Describe: "describe", List: "list" } as const;
    for (const [allowed, action] of Object.entries(actions)) {
      kit.policy = policyOf(`
rules:
  - name: one
    spiffe_ids: [spiffe://example.org/web]
    paths: [shop/**]
    actions: [${action}]
`);
      for (const call of PATH_CALLS) {
        const permit = () => kit.engine.permit(web, call, "shop/db");
        if (call === allowed) assert.doesNotThrow(permit, `${action} allows ${call}`);
        else assert.throws(permit, { reason: "ACCESS_DENIED" }, `${action} does not allow ${call}`);
      }
      const list = () => kit.engine.permitList(web, "shop/");
      if (allowed === "List") assert.doesNotThrow(list);
      else assert.throws(list, { reason: "ACCESS_DENIED" });
    }
  });

  it("refuses a malformed path of any caller before it reads the rules, and reports no denial", async () => {
    for (const caller of [api, web]) {
      assert.equal(await outcomeOf(kit.call(caller, "Get", "shop//db")), "INVALID_FIELD");
      assert.equal(await outcomeOf(kit.call(caller, "List", "shop//")), "INVALID_FIELD");
    }
    assert.deepEqual([kit.asked, kit.denials.length, kit.used.length], [0, 0, 0]);
    // The control: for a valid path, the engine reads the rules.
    assert.equal(await outcomeOf(kit.call(web, "Get", "shop/db")), "ACCESS_DENIED");
    assert.deepEqual([kit.asked, kit.denials.length], [1, 1]);
  });

  it("denies every call of a caller with the server's own SPIFFE ID, even if a rule allows it, and the message says why", async () => {
    for (const call of PATH_CALLS) {
      assert.throws(() => kit.engine.permit(server, call, "shop/db"), {
        reason: "ACCESS_DENIED",
        message: /server's own/,
      });
    }
    assert.throws(() => kit.engine.permitList(server, ""), { reason: "ACCESS_DENIED", message: /server's own/ });
    assert.deepEqual(kit.used, []);
    assert.doesNotThrow(() => kit.engine.permit(api, "Get", "shop/db"));
  });

  // If one policy permitted a List and the next one filtered it, the caller could get paths that neither of them
  // allows.
  it("uses one authorizer for one call: a reload takes effect with the next call", async () => {
    await kit.call(api, "Put", "shop/db");
    const permit = kit.engine.permitList(api, "");
    const asked = kit.asked;
    kit.policy = { rules: [] };
    const { secrets } = await kit.page(permit, "", 10);
    assert.deepEqual(
      secrets.map(({ path }) => path),
      ["shop/db"],
    );
    assert.equal(kit.asked, asked, "the engine did not request the authorizer again");
    assert.throws(() => kit.engine.permitList(api, ""), { reason: "ACCESS_DENIED" });
  });

  it("records the caller of the permit as the author", async () => {
    await kit.call(api, "Put", "shop/db");
    await kit.call(api, "Delete", "shop/db");
    const [version] = kit.engine.describe(kit.engine.permit(api, "Describe", "shop/db")).versions;
    assert.equal(version?.createdBy, api.id.toString());
    assert.equal(version?.state.kind === "deleted" && version.state.by, api.id.toString());
  });

  it("lists the secrets that the caller may list, and describes those of them that it may describe", async () => {
    for (const path of ["shop/a", "shop/b", "shop/c"]) await kit.call(api, "Put", path);
    kit.policy = policyOf(`
rules:
  - name: lists
    spiffe_ids: [spiffe://example.org/web]
    paths: [shop/a, shop/b]
    actions: [list]
  - name: describes
    spiffe_ids: [spiffe://example.org/web]
    paths: [shop/b, shop/c]
    actions: [describe]
`);
    const { secrets, nextPageToken } = await kit.page(kit.engine.permitList(web, ""), "", 10);
    assert.deepEqual(
      secrets.map(({ path, described }) => [path, described?.path]),
      [
        ["shop/a", undefined],
        ["shop/b", "shop/b"],
      ],
    );
    assert.equal(nextPageToken, "");
  });

  // A page token contains a path. It is valid only for the caller and the prefix that it was made for.
  it("accepts a page token only from its caller and with its prefix", async () => {
    for (const path of ["shop/a", "shop/b"]) await kit.call(api, "Put", path);
    kit.policy = policyOf(`
rules:
  - name: both
    spiffe_ids: [spiffe://example.org/api, spiffe://example.org/web]
    paths: [shop/**]
    actions: [list]
`);
    const { nextPageToken } = await kit.page(kit.engine.permitList(api, ""));
    assert.notEqual(nextPageToken, "");
    const next = await kit.page(kit.engine.permitList(api, ""), nextPageToken);
    assert.deepEqual(
      next.secrets.map(({ path }) => path),
      ["shop/b"],
    );
    const used = kit.used.length;
    for (const permit of [kit.engine.permitList(web, ""), kit.engine.permitList(api, "shop/")]) {
      assert.equal(await outcomeOf(kit.page(permit, nextPageToken)), "INVALID_PAGE_TOKEN");
    }
    assert.equal(await outcomeOf(kit.page(kit.engine.permitList(api, ""), `${nextPageToken}A`)), "INVALID_PAGE_TOKEN");
    assert.equal(kit.used.length, used, "an invalid token causes no use of the store");
  });
});
