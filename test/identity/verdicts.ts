import { SvidRefused } from "../../src/spiffe/svid-refused.ts";
import { verifySvid } from "../../src/spiffe/verify.ts";
import { type Case, NOW, TRUST } from "../support/chain-world.ts";
import { HONEST } from "../support/honest-chains.ts";
import { HOSTILE } from "../support/hostile-chains.ts";
import { servePeer } from "./peer-server.ts";
import { bare } from "./peers.ts";

/** The rows of all tables. */
export const ROWS: readonly Case[] = [...HONEST, ...Object.values(HOSTILE).flat()];

/** The verdicts on each chain of the tables, a line for each: of the verifier alone, then of a server over TLS. */
export async function verdicts(): Promise<string[]> {
  const lines: string[] = [];
  for (const row of ROWS) lines.push(`${row.what}: ${directly(row)}; over TLS ${await overTls(row)}`);
  return lines;
}

function directly({ chain, bundles = TRUST, now = NOW, purpose = "client" }: Case): string {
  try {
    return String(verifySvid(chain, bundles, now, purpose).id);
  } catch (error) {
    return error instanceof SvidRefused ? error.reason : String(error);
  }
}

async function overTls(row: Case): Promise<string> {
  const { refused, handled } = await servePeer(row, bare);
  return [...refused.map(({ reason }) => reason), ...handled].join(", ");
}
