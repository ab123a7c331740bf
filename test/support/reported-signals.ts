import { writeSync } from "node:fs";

// A command for `coffer run` that reports on standard output, one line each: its own process ID, that of its parent,
// and then each signal that it receives. At SIGTERM, or at the end of standard input, it exits with 42.

const END = 42;

const report = (line: string) => writeSync(1, `${line}\n`);

for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTERM"] as const) {
  process.on(signal, () => {
    report(signal);
    if (signal === "SIGTERM") process.exit(END);
  });
}
process.stdin.on("end", () => process.exit(END)).resume();
report(`running ${process.pid} ${process.ppid}`);
