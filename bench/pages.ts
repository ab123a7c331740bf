import type { ClientHttp2Session } from "node:http2";
import { type ListResponse, listRequest, listResponse } from "../src/contract/messages.ts";
import { accessOf, beginCall, openSession } from "./access.ts";
import type { Options } from "./options.ts";
import { cpuMicros } from "./process-stat.ts";
import { grpcMessage, secretPath } from "./request.ts";
import { type Requirement, atMost } from "./requirement.ts";
import { type Spread, interleave, spreadOf } from "./rounds.ts";
import type { RunFolder } from "./run-folder.ts";
import { type Server, fill, startCoffer } from "./servers.ts";

const LIST = "/coffer.v1.Secrets/List";

/** The size of the measured pages. */
const PAGE_SIZE = 100;

/** The size of the pages that lead to the place where a measured page begins. */
const STEP_SIZE = 1000;

/** Where the measured pages begin, as a share of all secrets. */
const PLACES = { first: 0, middle: 0.5, last: 1 } as const;

/** What a page of a large store costs, by the place where it begins. */
export interface Pages {
  readonly secrets: number;
  /** CPU time of the server in microseconds for each page. */
  readonly micros: ReadonlyMap<string, Spread>;
  readonly requirements: readonly Requirement[];
}

/** A place where a page begins, and the token that leads to it. */
interface Place {
  readonly name: string;
  readonly token: string;
}

/** Fills a store, and lists pages from its beginning, its middle and its end. */
export async function measurePages(folder: RunFolder, options: Options): Promise<Pages> {
  const server = await startCoffer(folder, { name: "coffer", data: "coffer-pages" });
  await fill(server, options.loadSecrets);
  const session = openSession(accessOf(server.target));
  const places = await placesOf(session, options.loadSecrets);
  const measured = await interleave(places, options.rounds, (place) => microsOf(server, session, place, options));
  session.destroy();
  await server.stop();
  const micros = new Map([...measured].map(([name, values]) => [name, spreadOf(values)]));
  return { secrets: options.loadSecrets, micros, requirements: requirementsOf(measured) };
}

/** Limits the ratio of the costliest place to the cheapest place of the same round. */
function requirementsOf(measured: ReadonlyMap<string, readonly number[]>): readonly Requirement[] {
  const rounds = [...measured.values()][0]?.length ?? 0;
  const ratios = Array.from({ length: rounds }, (_, round) => {
    const values = [...measured.values()].map((micros) => micros[round]!);
    return Math.max(...values) / Math.min(...values);
  });
  return [atMost("pages: CPU of a page, costliest place / cheapest place", spreadOf(ratios), 1.5)];
}

/** Walks through the whole store once, and keeps the tokens of the places. */
async function placesOf(session: ClientHttp2Session, secrets: number): Promise<readonly Place[]> {
  const starts = Object.entries(PLACES).map(([name, share]) => ({ name, at: startOf(share, secrets) }));
  const places: Place[] = [];
  let token = "";
  for (let at = 0; ; at += STEP_SIZE) {
    for (const start of starts) if (start.at === at) places.push({ name: start.name, token });
    const page = await list(session, STEP_SIZE, token);
    if (page.entries[0]?.path !== secretPath(at)) throw new Error(`the page at ${at} begins with another secret`);
    token = page.nextPageToken;
    if (token === "") return places;
  }
}

/**
 * The number of the secret with which a measured page begins. A page of the walk begins with the same secret, so that
 * the walk finds the token of the measured page. All measured pages are full, also the last one.
 */
function startOf(share: number, secrets: number): number {
  const last = Math.floor((secrets - PAGE_SIZE) / STEP_SIZE);
  return Math.floor(last * share) * STEP_SIZE;
}

/** Lists the same page repeatedly. Returns the CPU time of the server for each page. */
async function microsOf(
  { target }: Server,
  session: ClientHttp2Session,
  place: Place,
  { seconds }: Options,
): Promise<number> {
  const [begun, end] = [cpuMicros(target.pid), performance.now() + seconds * 1000];
  let pages = 0;
  for (; performance.now() < end; pages++) {
    const { entries } = await list(session, PAGE_SIZE, place.token);
    if (entries.length !== PAGE_SIZE) throw new Error(`a page has ${entries.length} secrets`);
  }
  return (cpuMicros(target.pid) - begun) / pages;
}

function list(session: ClientHttp2Session, pageSize: number, pageToken: string): Promise<ListResponse> {
  const query = { prefix: "", pageSize, pageToken, delimiter: "", labels: [], showDeleted: false };
  const message = grpcMessage(listRequest.encode(query));
  return new Promise((resolve, reject) => {
    const stream = beginCall(session, LIST);
    const chunks: Buffer[] = [];
    let code: unknown;
    const read = ({ "grpc-status": status }: { readonly "grpc-status"?: unknown }) => {
      code ??= status;
    };
    stream.on("response", read).on("trailers", read);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("close", () => {
      if (code === "0") resolve(listResponse.decode(Buffer.concat(chunks).subarray(5)));
      else reject(new Error(`List ended with grpc-status ${String(code)}`));
    });
    stream.end(message);
  });
}
