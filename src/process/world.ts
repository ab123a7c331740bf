/** What a command sees of the machine: the process itself, or what a test puts in its place. */
export type World = Pick<
  NodeJS.Process,
  | "argv"
  | "execArgv"
  | "env"
  | "cwd"
  | "stdin"
  | "stdout"
  | "stderr"
  | "on"
  | "off"
  | "exit"
  | "kill"
  | "pid"
  | "version"
>;
