import { page } from "../support/pages.ts";

const FORMULA =
  /= --max-store-bytes \+ (\d+) MB \+ \d+ kB for each connection \((\d+) kB with Node 24\)\n +\+ (\d+) MB for each thread/m;

/** The memory in bytes that a server needs by the formula of docs/operations.md for Node 24, which needs the most. */
export function memoryNeeded(maxStoreBytes: number, connections: number, threads: number): number {
  const [, besidesMb, connectionKb, threadMb] = FORMULA.exec(page("docs/operations.md").text)!;
  return (
    maxStoreBytes +
    Number(besidesMb) * 1e6 +
    connections * Number(connectionKb) * 1e3 +
    (threads > 1 ? threads * Number(threadMb) * 1e6 : 0)
  );
}
