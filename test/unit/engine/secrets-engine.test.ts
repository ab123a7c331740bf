import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Action } from "../../../src/authorization/action.ts";
import { Authorizer } from "../../../src/authorization/authorizer.ts";
import type { Policy } from "../../../src/authorization/policy.ts";
import { CofferError } from "../../../src/domain/errors.ts";
import { parseSecretPath } from "../../../src/domain/secret-path.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import type { ListPermit, ListQuestion } from "../../../src/engine/list-page.ts";
import { ACTIONS_OF_CHANGE, type Call, type ChangeCall, type Denial } from "../../../src/engine/permits.ts";
import { permitted } from "../../../src/engine/permitted.ts";
import { SecretsEngine } from "../../../src/engine/secrets-engine.ts";
import type { Principal } from "../../../src/spiffe/principal.ts";
import { SpiffeId } from "../../../src/spiffe/spiffe-id.ts";
import { NO_WATCHERS, type VersionReport } from "../../../src/store/watch-registry.ts";
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
    actions: [read, write, delete, destroy, list, describe, watch]
`);

/** A policy that allows web some actions on some paths. */
function allowing(actions: readonly Action[], paths = "shop/**"): Policy {
  return policyOf(`
rules:
  - name: one
    spiffe_ids: [spiffe://example.org/web]
    paths: [${paths}]
    actions: [${actions.join(", ")}]
`);
}

const CHANGE_CALLS = Object.keys(ACTIONS_OF_CHANGE) as ChangeCall[];
const PATH_CALLS = [...CHANGE_CALLS, "Get", "Describe", "Report"] as const;
/** A Watch authorizes each of its events instead, so any caller may begin one. */
type AnsweredCall = Exclude<Call, "Watch">;
const CALLS = [...PATH_CALLS, "List", "Commit", "BatchGet"] as const satisfies readonly AnsweredCall[];
const NEVER_OVER = () => false;
const FIRST: ListQuestion = { pageSize: 10, pageToken: "", isFolded: false, labels: [], showDeleted: false };
const NEWEST = { version: 0, keys: [], ifVersionNot: 0, minRevision: 0 };

/** An engine over a real store and a real sealer. It records every use of the store, and every denial. */
class EngineKit {
  readonly engine: SecretsEngine;
  readonly denials: Denial[] = [];
  /** The members of the store that the engine has read, in order. */
  readonly used: PropertyKey[] = [];
  readonly reports: VersionReport[] = [];
  #policy = FULL;
  #epoch = 1;
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
      watchers: {
        ...NO_WATCHERS,
        opened: () => {},
        closed: () => {},
        report: (report) => {
          this.used.push("report");
          this.reports.push(report);
        },
      },
      sealer,
      authorizer: () => {
        this.asked += 1;
        return new Authorizer({ policy: this.#policy, admins: [], server: SERVER, epoch: this.#epoch });
      },
      onDenied: (denial) => this.denials.push(denial),
    });
  }

  set policy(policy: Policy) {
    this.#policy = policy;
    this.#epoch += 1;
  }

  static async open(): Promise<EngineKit> {
    const { journal, sealer } = openStorage({ kind: "memory" });
    return new EngineKit(await loadStore(journal, { sealer }), sealer);
  }

  /** Authorizes a call as a whole, as far as its first field decides. */
  permit(caller: Principal, call: AnsweredCall, target: string): unknown {
    const { engine } = this;
    if (call === "List") return engine.permitList(caller, target);
    if (call === "Get") return engine.permitGet(caller, target);
    if (call === "Describe") return engine.permitDescribe(caller, target);
    if (call === "Report") return engine.permitReport(caller, target);
    if (call === "Commit" || call === "BatchGet") return engine.permitAnywhere(caller, call);
    return engine.permitChange(caller, call, target);
  }

  /** A complete call. Rejects or throws the engine's error. */
  async call(caller: Principal, call: AnsweredCall, target: string): Promise<unknown> {
    const { engine } = this;
    if (call === "List") return engine.list(engine.permitList(caller, target), FIRST, NEVER_OVER);
    if (call === "Get") return engine.get(engine.permitGet(caller, target), NEWEST);
    if (call === "Describe") return engine.describe(engine.permitDescribe(caller, target));
    if (call === "Report") return engine.report(engine.permitReport(caller, target), REPORT);
    if (call === "BatchGet") return engine.batchGet(engine.permitAnywhere(caller, call), [target], 0);
    return this.#change(caller, call, target);
  }

  #change(caller: Principal, call: ChangeCall | "Commit", target: string): Promise<unknown> {
    const { engine } = this;
    const path = parseSecretPath(target);
    const permits = call === "Commit" ? engine.permitAnywhere(caller, call) : engine.permitChange(caller, call, target);
    const operation = {
      Put: () => permitted.put(permits.permit("write", path), textContent("v"), { kind: "default" }, undefined),
      Patch: () => permitted.patch(permits.permit("write", path), textContent("w"), [], undefined),
      Delete: () => permitted.changeDeletion(permits.permit("delete", path), "delete", [], undefined),
      Undelete: () => permitted.changeDeletion(permits.permit("delete", path), "undelete", [], undefined),
      Destroy: () => permitted.destroy(permits.permit("destroy", path), [], undefined),
      Restore: () => permitted.copy(permits.permit("read", path), 0, permits.permit("write", path), undefined),
      Copy: () => permitted.copy(permits.permit("read", path), 0, permits.permit("write", path), undefined),
      Purge: () => permitted.purge(permits.permit("destroy", path), undefined),
      Metadata: () => permitted.metadata(permits.permit("write", path), SETTINGS, undefined),
    };
    if (call === "Commit") return engine.commit([operation.Put()], [], undefined);
    return engine.change(operation[call](), undefined);
  }

  page(permit: ListPermit, pageToken = "", pageSize = 1) {
    return this.engine.list(permit, { ...FIRST, pageSize, pageToken }, NEVER_OVER);
  }
}

const REPORT = { watchId: "w", version: 1, state: "received", instance: "" } as const;

const SETTINGS = {
  maxVersions: 5,
  setLabels: [],
  removedLabels: [],
  description: undefined,
  defaultTtl: undefined,
  casRequired: undefined,
};

describe("SecretsEngine", () => {
  let kit: EngineKit;
  beforeEach(async () => {
    kit = await EngineKit.open();
  });

  // For a caller without a rule, the engine does not use the store. So neither the answer nor its time can reveal
  // whether the secret exists.
  for (const call of CALLS) {
    it(`authorizes ${call} before it uses the store, and reports the denial`, async () => {
      await kit.call(api, "Put", "shop/db");
      kit.used.length = 0;
      const target = call === "List" ? "shop/" : "shop/db";
      assert.equal(await outcomeOf(kit.call(web, call, target)), "ACCESS_DENIED");
      assert.deepEqual(kit.used, []);
      const [denial] = kit.denials;
      assert.equal(kit.denials.length, 1);
      assert.deepEqual([denial?.caller, denial?.call], [web, call]);
      assert.deepEqual(denial?.decision, { kind: "denied", because: "no rule" });
      assert.equal(denial?.target, call === "Commit" || call === "BatchGet" ? "" : target);

      // The control: the same call of a caller with a rule uses the store, and no denial is reported.
      await kit.call(api, call, target);
      assert.notDeepEqual(kit.used, []);
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

  it("requires the actions of each call, and no other action allows the call", () => {
    const required: Readonly<Record<AnsweredCall, readonly Action[][]>> = {
      Put: [["write"]],
      Get: [["read"]],
      Delete: [["delete"]],
      List: [["list"]],
      Describe: [["describe"]],
      Patch: [["write"]],
      Undelete: [["delete"]],
      Destroy: [["destroy"]],
      Restore: [["write", "read"]],
      Copy: [["read"]],
      Purge: [["destroy"]],
      Metadata: [["write"]],
      // One of these for any secret; each operation is authorized by itself.
      Commit: [["write"], ["delete"], ["destroy"]],
      BatchGet: [["read"]],
      Report: [["watch"]],
    };
    const actions = ["read", "write", "delete", "destroy", "list", "describe", "watch"] as const;
    for (const call of CALLS) {
      for (let set = 1; set < 2 ** actions.length; set++) {
        const given = actions.filter((_, index) => (set & (1 << index)) !== 0);
        kit.policy = allowing(given);
        const isAllowed = required[call].some((all) => all.every((action) => given.includes(action)));
        const permit = () => kit.permit(web, call, "shop/db");
        if (isAllowed) assert.doesNotThrow(permit, `${given.join()} allows ${call}`);
        else assert.throws(permit, { reason: "ACCESS_DENIED" }, `${given.join()} does not allow ${call}`);
      }
    }
  });

  it("requires write on the target of a Copy, in addition to read on its source", async () => {
    await kit.call(api, "Put", "shop/db");
    kit.policy = allowing(["read"]);
    const permits = kit.engine.permitChange(web, "Copy", "shop/db");
    assert.throws(() => permits.permit("write", parseSecretPath("shop/copy")), { reason: "ACCESS_DENIED" });
    const [denial] = kit.denials;
    assert.deepEqual([denial?.call, denial?.action, denial?.target], ["Copy", "write", "shop/copy"]);
    kit.policy = allowing(["read", "write"]);
    const both = kit.engine.permitChange(web, "Copy", "shop/db");
    assert.doesNotThrow(() => both.permit("write", parseSecretPath("shop/copy")));
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

  it("denies every call of a caller with the server's own SPIFFE ID, even if a rule allows it, and the message says why", () => {
    for (const call of CALLS) {
      const permit = () => kit.permit(server, call, "shop/db");
      assert.throws(permit, { reason: "ACCESS_DENIED", message: /server's own/ }, call);
    }
    assert.throws(() => kit.engine.permitWatch(server), { reason: "ACCESS_DENIED", message: /server's own/ });
    assert.doesNotThrow(() => kit.engine.permitWatch(web));
    assert.deepEqual(kit.used, []);
    assert.doesNotThrow(() => kit.permit(api, "Get", "shop/db"));
  });

  // If one policy permitted a BatchGet as a whole and the next one its entries, the caller could get what neither of them
  // allows. The same holds for the operations of a Commit. A List takes several turns, and is found again by the new policy.
  it("uses one authorizer for all decisions of one call", async () => {
    await kit.call(api, "Put", "shop/db");
    const list = kit.engine.permitList(api, "");
    const batch = kit.engine.permitAnywhere(api, "BatchGet");
    const asked = kit.asked;
    kit.policy = { rules: [] };
    const [entry] = kit.engine.batchGet(batch, ["shop/db"], 0).entries;
    assert.ok(entry !== undefined && !(entry.result instanceof CofferError));
    assert.equal(kit.asked, asked, "the engine did not request the authorizer again");
    await assert.rejects(kit.page(list, "", 10), { reason: "ACCESS_DENIED" });
    assert.throws(() => kit.engine.permitList(api, ""), { reason: "ACCESS_DENIED" });
  });

  it("authorizes each path of a BatchGet, and reports each denial with its path", async () => {
    for (const path of ["shop/a", "shop/b"]) await kit.call(api, "Put", path);
    kit.policy = allowing(["read"], "shop/a");
    const permits = kit.engine.permitAnywhere(web, "BatchGet");
    const { entries } = kit.engine.batchGet(permits, ["shop/b", "shop/a", "shop/gone"], 0);
    const reasons = entries.map(({ result }) => (result instanceof CofferError ? result.reason : "content"));
    assert.deepEqual(reasons, ["ACCESS_DENIED", "content", "ACCESS_DENIED"]);
    assert.deepEqual(
      kit.denials.map(({ action, target }) => [action, target]),
      [
        ["read", "shop/b"],
        ["read", "shop/gone"],
      ],
    );
  });

  it("records the caller of the permit as the author", async () => {
    await kit.call(api, "Put", "shop/db");
    await kit.call(api, "Delete", "shop/db");
    const { secret } = await kit.engine.describe(kit.engine.permitDescribe(api, "shop/db"));
    const [version] = secret.versions;
    assert.equal(version?.createdBy, api.id.toString());
    assert.deepEqual([version?.state.kind, version?.state.by], ["deleted", api.id.toString()]);
  });

  // The caller of a Report is that of the connection, and never a part of the request.
  it("reports as the caller of the permit", async () => {
    await kit.call(api, "Report", "shop/db");
    assert.deepEqual(kit.reports, [{ ...REPORT, path: "shop/db", caller: api.id.toString() }]);
  });

  it("refuses a read at a revision that the store has not reached", async () => {
    await kit.call(api, "Put", "shop/db");
    const get = (minRevision: number) =>
      kit.engine.get(kit.engine.permitGet(api, "shop/db"), { ...NEWEST, minRevision });
    const { storeRevision } = get(0);
    assert.doesNotThrow(() => get(storeRevision));
    assert.throws(() => get(storeRevision + 1), {
      reason: "REVISION_AHEAD",
      metadata: { revision: String(storeRevision) },
    });
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

  // A page token contains a path. It is valid only for the caller and the query that it was made for.
  it("accepts a page token only from its caller and with its query", async () => {
    for (const path of ["shop/a", "shop/b"]) await kit.call(api, "Put", path);
    kit.policy = policyOf(`
rules:
  - name: both
    spiffe_ids: [spiffe://example.org/api, spiffe://example.org/web]
    paths: [shop/**]
    actions: [list, describe]
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
    const others = [{ isFolded: true }, { showDeleted: true }, { labels: [["a", "b"]] as const }];
    for (const other of others) {
      const question = { ...FIRST, pageToken: nextPageToken, ...other };
      const list = kit.engine.list(kit.engine.permitList(api, ""), question, NEVER_OVER);
      assert.equal(await outcomeOf(list), "INVALID_PAGE_TOKEN", JSON.stringify(other));
    }
    assert.equal(await outcomeOf(kit.page(kit.engine.permitList(api, ""), `${nextPageToken}A`)), "INVALID_PAGE_TOKEN");
    assert.equal(kit.used.length, used, "an invalid token causes no use of the store");
  });
});
