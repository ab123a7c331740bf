import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import * as wire from "../../src/contract/messages.ts";
import { beginCall } from "../../bench/access.ts";
import { grpcMessage } from "../../bench/request.ts";
import { sessionOf } from "../support/bare-call.ts";
import { beginExpiringWatch } from "../support/expiring-watch.ts";
import { nextEvent } from "../support/next-event.ts";
import { API, type Caller, ServerKit, WEB } from "../support/server-kit.ts";
import { until } from "../support/until.ts";
import { Watching } from "../support/watching.ts";

const OPERATOR = "spiffe://example.org/operator";
const REMOVER = "spiffe://example.org/remover";

/** The operator may describe secrets, and the remover may not. */
const policyOf = (watched: string) => `
rules:
  - name: workloads
    spiffe_ids: [${WEB}, ${API}]
    paths: [${watched}]
    actions: [read, watch]
  - name: operator
    spiffe_ids: [${OPERATOR}]
    paths: ["**"]
    actions: [write, delete, destroy, describe, read]
  - name: remover
    spiffe_ids: [${REMOVER}]
    paths: ["**"]
    actions: [delete, destroy]
`;
const ALL = `"**"`;

/** An element of `behind` in an answer. Fields that have their default value are absent. */
interface Behind {
  readonly spiffe_id: string;
  readonly instance?: string;
  readonly version?: number;
  readonly state?: string;
}

/** A workload that watches a path, on a connection of its own. */
interface Workload {
  readonly caller: Caller;
  readonly watching: Watching;
  readonly report: (version: number, state: "RECEIVED" | "IN_USE") => Promise<string>;
  readonly close: () => void;
}

for (const threads of [1, 3]) {
  describe(`convergence with ${threads} thread${threads === 1 ? "" : "s"}`, () => {
    let kit: ServerKit;
    let operator: Caller;
    let remover: Caller;
    before(async () => {
      kit = await ServerKit.start({ threads });
      await adoptPolicy(ALL);
      operator = kit.caller(OPERATOR);
      remover = kit.caller(REMOVER);
    });
    after(async () => {
      for (const caller of [operator, remover]) caller.close();
      await kit.stop();
    });

    async function adoptPolicy(watched: string): Promise<void> {
      const loads = () => kit.log.filter(({ event }) => event === "policy loaded").length;
      const earlier = loads();
      writeFileSync(kit.config.policy!, policyOf(watched));
      kit.server.reload();
      await until("the policy was loaded", () => loads() > earlier);
      await kit.settled();
    }

    async function put(path: string): Promise<void> {
      assert.equal((await operator.put({ path, data: { k: "v" } })).code, "OK");
    }

    async function workload(path: string, instance = "", id = WEB): Promise<Workload> {
      const caller = kit.caller(id);
      const watching = new Watching(caller, { paths: [path] });
      const watchId = watchIdOf(await watching.synced());
      return {
        ...{ caller, watching },
        report: async (version, state) => {
          const outcome = await caller.call("Report", {
            path,
            watch_id: watchId,
            version,
            state: `REPORT_STATE_${state}`,
            instance,
          });
          return outcome.reason ?? outcome.code;
        },
        close: () => {
          watching.cancel();
          caller.close();
        },
      };
    }

    /** One after the other: on a slow machine, a handshake that waits for others exceeds its time. */
    async function workloads(path: string, count: number): Promise<readonly Workload[]> {
      const all: Workload[] = [];
      while (all.length < count) all.push(await workload(path, `pod-${all.length}`));
      return all;
    }

    /** Such as "2 of 3; web (pod-1) 1 IN_USE". */
    async function convergence(path: string): Promise<string> {
      const { response } = await operator.describe({ path });
      const { watchers = 0, converged = 0, behind = [] } = response.convergence;
      const named = behind.map(({ spiffe_id: id, instance = "", version = 0, state = "none" }: Behind) => {
        return `${id.replace(/.*\//, "")} (${instance}) ${version} ${state.replace("REPORT_STATE_", "")}`;
      });
      return [`${converged} of ${watchers}`, ...named].join("; ");
    }

    // The steps of a rotation: put the new version, see who uses it, and destroy the old one when all do.
    it("refuses a Destroy while one of six watchers uses the old version, names it, and then allows it", async () => {
      const path = "a/rotated";
      await put(path);
      const all = await workloads(path, 6);
      for (const { report } of all) assert.equal(await report(1, "IN_USE"), "OK");
      assert.equal(await convergence(path), "6 of 6");
      await put(path);
      assert.match(await convergence(path), /^0 of 6; web \(pod-\d\) 1 IN_USE; /);
      const [heldBack, ...others] = all;
      for (const { report } of others) await report(2, "IN_USE");
      assert.equal(await heldBack!.report(2, "RECEIVED"), "OK");
      assert.equal(await convergence(path), "5 of 6; web (pod-0) 1 IN_USE");

      const destroy = { path, versions: [1], require_converged: true };
      const refused = await operator.call("Destroy", destroy);
      assert.deepEqual([refused.code, refused.reason], ["FAILED_PRECONDITION", "NOT_CONVERGED"]);
      assert.deepEqual(refused.metadata, { path, watchers: "6", behind: "1" });
      assert.match(refused.message, new RegExp(`1 watcher does not use version 2.*${WEB} \\(pod-0\\) uses 1`));
      assert.equal((await operator.get({ path, version: 1 })).code, "OK", "nothing was destroyed");
      // A caller that may not describe the secret learns only the number.
      const counted = await remover.call("Destroy", destroy);
      assert.deepEqual([counted.reason, counted.metadata], ["NOT_CONVERGED", { path, watchers: "6", behind: "1" }]);
      assert.doesNotMatch(counted.message, /spiffe|pod/);
      const deletion = await operator.delete(destroy);
      assert.equal(deletion.reason, "NOT_CONVERGED");

      await heldBack!.report(2, "IN_USE");
      assert.equal(await convergence(path), "6 of 6");
      assert.equal((await remover.call("Destroy", destroy)).code, "OK");
      assert.equal((await operator.get({ path, version: 1 })).reason, "VERSION_DESTROYED");
      for (const { close } of all) close();
    });

    it("uses the received version of a watcher that reports no use, and counts one without a report as behind", async () => {
      const path = "a/received";
      await put(path);
      const all = await workloads(path, 2);
      assert.equal(await convergence(path), "0 of 2; web () 0 none; web () 0 none");
      await all[0]!.report(1, "RECEIVED");
      assert.equal(await convergence(path), "1 of 2; web () 0 none");
      for (const { close } of all) close();
    });

    // Otherwise a change could be made on another thread although a workload has already begun to watch.
    it("counts a watcher before it gets its first event, on every thread", async () => {
      const path = "a/begun";
      await put(path);
      const destroyers = Array.from({ length: 3 }, () => kit.caller(REMOVER));
      for (let i = 0; i < 40; i++) {
        const begun = await workload(path);
        const outcomes = await Promise.all(
          destroyers.map((caller) => caller.delete({ path, versions: [1], require_converged: true })),
        );
        assert.deepEqual(new Set(outcomes.map(({ reason }) => reason)), new Set(["NOT_CONVERGED"]));
        begun.close();
        await until("its watch was removed", async () => (await convergence(path)) === "0 of 0");
      }
      for (const caller of destroyers) caller.close();
    });

    it("forgets a watcher whose stream is cancelled, whose connection breaks, or whose SVID expires", async () => {
      const path = "a/ended";
      await put(path);
      const [cancelled, kept] = await Promise.all([workload(path), workload(path)]);
      const session = await sessionOf(kit, WEB);
      const broken = beginCall(session, "/coffer.v1.Secrets/Watch");
      broken.end(grpcMessage(wire.watchRequest.encode(wire.watchRequest.of({ paths: [path] }))));
      await nextEvent(broken, "data");
      const areCounted = async () => (await convergence(path)).startsWith("0 of 4;");
      const expiring = await beginExpiringWatch(kit, { paths: [path] }, areCounted);
      cancelled.watching.cancel();
      session.destroy();
      assert.equal((await expiring.watching.ended()).reason, "SVID_EXPIRED");
      await until("the watches were removed", async () => (await convergence(path)).startsWith("0 of 1;"));
      assert.equal(await cancelled.report(1, "IN_USE"), "WATCH_NOT_FOUND");
      assert.equal(await kept.report(1, "IN_USE"), "OK");
      assert.equal(await convergence(path), "1 of 1");
      for (const each of [cancelled, kept, expiring.caller]) each.close();
    });

    // A workload must not be able to hide that another one is behind, even if it has learned the watch_id.
    it("refuses a report of another SPIFFE ID with a known watch_id, and changes nothing", async () => {
      const path = "a/owned";
      await put(path);
      const web = await workload(path);
      const watchId = watchIdOf(await web.watching.synced());
      const other = kit.caller(API);
      const report = { path, watch_id: watchId, version: 1, state: "REPORT_STATE_IN_USE", instance: "" };
      const refused = await other.call("Report", report);
      assert.deepEqual([refused.code, refused.reason], ["NOT_FOUND", "WATCH_NOT_FOUND"]);
      const guessed = await other.call("Report", { ...report, watch_id: "A".repeat(22) });
      assert.equal(guessed.message.replace("A".repeat(22), watchId), refused.message, "no difference to a guess");
      assert.equal(await convergence(path), "0 of 1; web () 0 none");
      // The control: the same report of the owner, on another connection.
      const own = kit.caller(WEB);
      assert.equal((await own.call("Report", report)).code, "OK");
      assert.equal(await convergence(path), "1 of 1");
      for (const each of [web, other, own]) each.close();
    });

    it("refuses reports of paths that the watch does not name, and of versions that do not exist", async () => {
      for (const path of ["a/named", "a/unnamed"]) await put(path);
      const web = await workload("a/named");
      const watchId = watchIdOf(await web.watching.synced());
      const unnamed = await web.caller.call("Report", {
        path: "a/unnamed",
        watch_id: watchId,
        version: 1,
        state: "REPORT_STATE_IN_USE",
      });
      assert.deepEqual([unnamed.reason, unnamed.violations], ["INVALID_FIELD", ["path"]]);
      assert.equal(await web.report(2, "IN_USE"), "INVALID_FIELD");
      assert.equal(await web.report(1, "IN_USE"), "OK");
      web.close();
    });

    it("counts only watchers that may watch the secret by the current policy", async () => {
      const path = "a/withdrawn";
      await put(path);
      const web = await workload(path);
      assert.match(await convergence(path), /^0 of 1;/);
      await adoptPolicy("other/*");
      assert.equal(await convergence(path), "0 of 0");
      assert.equal(await web.report(1, "IN_USE"), "ACCESS_DENIED");
      assert.equal((await remover.delete({ path, require_converged: true })).code, "OK");
      await adoptPolicy(ALL);
      assert.match(await convergence(path), /^0 of 1;/);
      web.close();
    });

    // The GOAWAY of a shutdown ends the streams, and the next process knows no reports.
    it("forgets all watchers at a restart, and counts those that return and report again", async () => {
      const other = await ServerKit.start({ threads });
      writeFileSync(other.config.policy!, policyOf(ALL));
      await other.restart();
      const begin = async () => {
        const [web, admin] = [other.caller(WEB), other.caller(OPERATOR)];
        const path = "a/restarted";
        const watching = new Watching(web, { paths: [path] });
        const watchId = watchIdOf(await watching.synced());
        const report = { path, watch_id: watchId, version: 1, state: "REPORT_STATE_IN_USE" };
        const count = async () => (await admin.describe({ path })).response.convergence;
        return { web, admin, path, watching, report, count };
      };
      const before = await begin();
      await before.admin.put({ path: before.path, data: { k: "v" } });
      assert.equal((await before.web.call("Report", before.report)).code, "OK");
      assert.deepEqual(await before.count(), { watchers: 1, converged: 1 });
      const ended = before.watching.ended();
      await other.restart();
      assert.deepEqual(await ended, { code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
      const after = await begin();
      assert.equal((await after.web.call("Report", before.report)).reason, "WATCH_NOT_FOUND");
      assert.equal((await after.count()).behind.length, 1);
      assert.equal((await after.web.call("Report", after.report)).code, "OK");
      assert.deepEqual(await after.count(), { watchers: 1, converged: 1 });
      after.watching.cancel();
      for (const { web, admin } of [before, after]) for (const caller of [web, admin]) caller.close();
      await other.stop();
    });

    // After a restart, 0 of 0 watchers use the newest version, although the workloads still have older ones.
    it("refuses a Destroy after a restart until as many watchers as required have returned and reported", async () => {
      const other = await ServerKit.start({ threads });
      writeFileSync(other.config.policy!, policyOf(ALL));
      const path = "a/returned";
      const callers: Caller[] = [];
      const callerOf = (id: string) => {
        callers.push(other.caller(id));
        return callers.at(-1)!;
      };
      const watch = async () => {
        const web = callerOf(WEB);
        const watchId = watchIdOf(await new Watching(web, { paths: [path] }).synced());
        const report = { path, watch_id: watchId, version: 2, state: "REPORT_STATE_IN_USE" };
        return async () => assert.equal((await web.call("Report", report)).code, "OK");
      };
      const destroy = { path, versions: [1], require_converged: true, min_watchers: 2 };
      const attempt = async () => {
        const { code, reason, metadata } = await callerOf(REMOVER).call("Destroy", destroy);
        return reason === undefined ? code : [reason, metadata["watchers"], metadata["behind"]];
      };

      await other.restart();
      for (const value of ["1", "2"]) await callerOf(OPERATOR).put({ path, data: { k: value } });
      for (const report of [await watch(), await watch()]) await report();
      await other.restart();
      assert.deepEqual(await attempt(), ["NOT_CONVERGED", "0", "0"]);
      const first = await watch();
      assert.deepEqual(await attempt(), ["NOT_CONVERGED", "1", "1"]);
      await first();
      assert.deepEqual(await attempt(), ["NOT_CONVERGED", "1", "0"]);
      assert.equal((await callerOf(OPERATOR).get({ path, version: 1 })).code, "OK", "nothing was destroyed");
      // The control: without the number, the watcher that is missing does not matter.
      const { code } = await callerOf(REMOVER).delete({ path, versions: [1], require_converged: true });
      assert.equal(code, "OK");
      const second = await watch();
      assert.deepEqual(await attempt(), ["NOT_CONVERGED", "2", "1"]);
      await second();
      assert.equal(await attempt(), "OK");
      for (const caller of callers) caller.close();
      await other.stop();
    });

    it("refuses a number of watchers without the requirement that all of them have converged", async () => {
      const path = "a/unrequired";
      await put(path);
      const { reason, violations } = await remover.delete({ path, min_watchers: 1 });
      assert.deepEqual([reason, violations], ["INVALID_FIELD", ["min_watchers"]]);
      assert.equal((await remover.delete({ path, min_watchers: 0 })).code, "OK");
    });

    it("refuses a Commit, names the operation, and changes nothing", async () => {
      const path = "a/committed";
      await put(path);
      const web = await workload(path, "pod");
      const operations = [
        { put: { path: "a/other", data: { k: "v" } } },
        { destroy: { path, versions: [1], require_converged: true, min_watchers: 1 } },
      ];
      const refused = await operator.call("Commit", { operations });
      assert.deepEqual(
        [refused.reason, refused.metadata],
        ["NOT_CONVERGED", { path, watchers: "1", behind: "1", operation: "1" }],
      );
      assert.match(
        refused.message,
        new RegExp(`^operation 1: 1 watcher does not use version 1 of ${path}, .*: ${WEB} has reported no version$`),
      );
      assert.equal((await operator.get({ path: "a/other" })).reason, "SECRET_NOT_FOUND");
      await web.report(1, "IN_USE");
      assert.equal((await operator.call("Commit", { operations })).code, "OK");
      web.close();
    });

    it("describes watchers only to callers that may describe the secret", async () => {
      await put("a/private");
      const outcomes = await Promise.all([remover, operator].map((caller) => caller.describe({ path: "a/private" })));
      assert.deepEqual(
        outcomes.map(({ code }) => code),
        ["PERMISSION_DENIED", "OK"],
      );
    });
  });
}

function watchIdOf({ event }: wire.WatchResponse): string {
  assert.equal(event?.kind, "synced");
  return event.value.watchId;
}
