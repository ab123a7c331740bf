import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { reasonToSkip } from "../support/programs.ts";
import type { Spire } from "../spire/spire.ts";
import { API } from "../support/server-kit.ts";
import { page, table } from "../support/pages.ts";
import { type Build, type Built, build, missing } from "./build.ts";
import type { Example } from "./example.ts";
import { FOREIGN, Site, type Variables } from "./site.ts";

/** How an example gets its identity, and what it expects of the server. */
export interface Identity {
  readonly site: Site;
  readonly spire: Spire;
  readonly serverId: string;
}

/** One of the stacks of docs/clients.md. */
export interface Stack extends Build {
  /** The code NOT_FOUND as this stack prints it. */
  readonly notFound: string;
  /** Whether it verifies the server's SPIFFE ID. */
  readonly verifiesId: boolean;
  /** Why another requirement is not met on this machine; false if it is. */
  readonly lacks?: string | false;
  /** Starts other programs that the example needs. Resolves to the example's environment. */
  readonly prepare?: (identity: Identity, variables: Variables) => Promise<Variables>;
}

/**
 * The lifetime of the example's SVIDs, in seconds. SPIRE renews an SVID after half of it, and Coffer sends GOAWAY after
 * eight tenths of it.
 */
const SHORT = 10;

/** The tests of one stack. */
export function testStack(stack: Stack): void {
  const skip = reasonToSkip() || missing(stack) || (stack.lacks ?? false);

  describe(`the example for ${stack.heading}`, { skip }, () => {
    let built: Built;
    let site: Site;
    const start = async (spire: Spire, serverId: string): Promise<Example> => {
      const variables = { ...site.variables(spire), COFFER_SERVER_ID: serverId };
      return site.run(built, (await stack.prepare?.({ site, spire, serverId }, variables)) ?? variables);
    };
    before(async () => {
      built = await build(stack);
      site = await Site.start({ ttl: SHORT });
    });
    after(() => site?.end());

    // A connection ends before its SVID expires. Calls after that time are made with a newer SVID.
    it("puts, gets, reads the reason of an error, and continues with the next SVIDs", async () => {
      const example = await start(site.spire, site.serverId);
      await example.prints("get", 3);
      assert.deepEqual(example.lines.slice(0, 2), ["put shop/api/db", `error ${stack.notFound} SECRET_NOT_FOUND`]);
      assert.ok(
        example.lines.slice(2).every((line) => line === "get app"),
        example.lines.join("\n"),
      );
      const calls = () => site.server.lines("call").filter(({ spiffe_id }) => spiffe_id === API);
      const timeOf = (line: object | undefined) => Date.parse(String((line as { time: string }).time));
      const end = timeOf(calls()[0]) + 3 * SHORT * 1000;
      while (timeOf(calls().at(-1)) < end) await example.prints("get");
      const connections = new Set(calls().map(({ connection }) => connection));
      assert.ok(connections.size >= 3, `${connections.size} connections`);
      await example.stop();
    });

    // The client gets no reason. Only the server's log has it.
    it("prints the error of docs/clients.md when the server refuses it, and the server's log has the reason", async () => {
      const example = await start(await site.foreignSpire(), site.serverId);
      const { code, stderr } = await example.ended;
      assert.notEqual(code, 0);
      assert.deepEqual(example.lines, []);
      assertShown(stack, "Refused by the server", stderr);
      const [refused] = site.server.lines("connection refused").filter(({ spiffe_id }) => spiffe_id === FOREIGN);
      assert.equal(refused?.["reason"], "no-bundle");
    });

    it(`${stack.verifiesId ? "refuses" : "accepts"} a server with another SPIFFE ID`, async () => {
      const example = await start(site.spire, "spiffe://example.org/another");
      if (!stack.verifiesId) return example.prints("put");
      const { code, stderr } = await example.ended;
      assert.notEqual(code, 0);
      assert.deepEqual(example.lines, []);
      assertShown(stack, "Refuses the server", stderr);
    });
  });
}

/** Asserts that the example wrote one of the texts that docs/clients.md gives for this stack. */
function assertShown({ heading }: Stack, column: "Refused by the server" | "Refuses the server", stderr: string): void {
  const rows = table(page("docs/clients.md"), "Client", "Refused by the server", "Refuses the server");
  const cell = rows.find(({ Client }) => Client === heading)?.[column] ?? "";
  const texts = [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
  assert.ok(
    texts.some((text) => stderr.includes(text)),
    stderr,
  );
}
