import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { run } from "../../src/cli/program.ts";
import type { World } from "../../src/process/world.ts";
import { PROGRAM, type Ran, type RunOptions } from "./cli-kit.ts";

/**
 * Runs a command of `coffer` in this process, with its own variables, input and output. A new process takes ten times as
 * long, most of it to load the program. Relative paths in the arguments are relative to the folder of this process.
 */
export async function commandHere(
  arguments_: readonly string[],
  { env = {}, input = "" }: Pick<RunOptions, "env" | "input"> = {},
): Promise<Ran> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const { cwd, version, platform, pid, execPath } = process;
  const own = { argv: [execPath, PROGRAM, ...arguments_], execArgv: [], env, cwd, version, platform, pid };
  const world = Object.assign(new EventEmitter(), own, { stdin, stdout, stderr }) as unknown as World;
  const ended = run(arguments_, world).finally(() => {
    for (const output of [stdout, stderr]) output.end();
  });
  const [code, out, errors] = await Promise.all([ended, buffer(stdout), text(stderr)]);
  return { code, stdout: out, stderr: errors };
}
