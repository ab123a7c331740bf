import { type Job, type JobResult, type Operation, runJob } from "./job.ts";
import type { Options } from "./options.ts";
import { type Requirement, atLeast, atMost } from "./requirement.ts";
import { type Rounds, interleave, ratio } from "./rounds.ts";
import { type Server, coffers, fill, startBareGrpc, startBareHttp2, startCoffer, startEtcd } from "./servers.ts";
import type { RunFolder } from "./run-folder.ts";

/** The rates of Coffer and the other servers for one operation. */
export interface Throughput {
  readonly operation: Operation;
  readonly rounds: Rounds;
  readonly requirements: readonly Requirement[];
}

/** Starts the servers, fills them, and measures each operation on all of them in each round. */
export async function measureThroughput(
  folder: RunFolder,
  options: Options,
  operations: readonly Operation[],
): Promise<readonly Throughput[]> {
  const servers = await startServers(folder, options);
  for (const server of servers) await fill(server, options.secrets);
  const measured: Throughput[] = [];
  for (const operation of operations) {
    const measure = (server: Server, round: number) => runJob(jobFor(server, operation, round, options));
    const rounds = await interleave(servers, options.rounds, measure);
    measured.push({ operation, rounds, requirements: requirementsOf(operation, rounds) });
  }
  await Promise.all(servers.map((server) => server.stop()));
  return measured;
}

async function startServers(folder: RunFolder, { otherBuilds }: Options): Promise<Server[]> {
  const etcd = process.env["ETCD_BIN"];
  return [
    await startBareHttp2(folder),
    await startBareGrpc(folder),
    ...(await startCoffers(folder, otherBuilds)),
    ...(etcd === undefined ? [] : [await startEtcd(folder, etcd)]),
  ];
}

async function startCoffers(folder: RunFolder, otherBuilds: Options["otherBuilds"]): Promise<Server[]> {
  const started: Server[] = [];
  for (const coffer of coffers(otherBuilds)) started.push(await startCoffer(folder, { ...coffer, data: coffer.name }));
  return started;
}

/** More than any server can store in one measurement, so that no two rounds write the same path. */
const PATHS_PER_ROUND = 10_000_000;

/** The job that measures one server in one round. */
export function jobFor({ target }: Server, operation: Operation, round: number, options: Options): Job {
  const { connections, inFlight, secrets, seconds } = options;
  return {
    target,
    operation,
    numbers:
      operation === "get"
        ? { kind: "random", below: secrets }
        : { kind: "sequence", from: secrets + round * PATHS_PER_ROUND },
    connections,
    inFlight,
    extent: { kind: "timed", warmUpMs: seconds * 200, measuredMs: seconds * 1000 },
  };
}

const rate = (result: JobResult): number => result.rate;
const serverMicros = (result: JobResult): number => result.serverMicros;

function requirementsOf(operation: Operation, rounds: Rounds): Requirement[] {
  const share = ratio(rounds, "coffer", "grpc-js", rate);
  const requirements = [atLeast(`${operation}: rate, coffer / grpc-js`, share, operation === "get" ? 0.85 : 0.6)];
  if (rounds.has("etcd")) {
    const cpu = ratio(rounds, "coffer", "etcd", serverMicros);
    requirements.push(atMost(`${operation}: CPU per call, coffer / etcd`, cpu, 0.75));
  }
  return requirements;
}
