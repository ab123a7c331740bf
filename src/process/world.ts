/** The parts of the process that commands use. A test passes its own. */
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
  | "platform"
>;
