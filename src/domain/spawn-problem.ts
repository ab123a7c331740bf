/**
 * The message for the operator when spawn() has failed with `error`. It does not contain the message of `error`, which can
 * quote an argument.
 */
export function spawnProblem(program: string, error: NodeJS.ErrnoException): string {
  return `can't run ${program}: ${reasonOf(error)}`;
}

function reasonOf({ code }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "program not found";
  if (code === "EACCES") return "this user may not execute it";
  if (code === "E2BIG") return "its variables and arguments exceed the limit of the operating system";
  return code ?? "unknown error";
}
