import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { ExitStatus } from "../../../src/cli/exit-status.ts";
import { SignalRelay } from "../../../src/cli/run/signal-relay.ts";
import { isInForeground } from "../../../src/cli/run/terminal-job.ts";

const ALL = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;

/** A relay, and the process whose signals it receives. */
function relayIn(isInForeground: () => boolean) {
  const process = new EventEmitter();
  return {
    process,
    relay: new SignalRelay({ on: (signal, listener) => process.on(signal, listener), isInForeground }),
  };
}

describe("a relay of signals", () => {
  // A terminal sends its signals to every process of the foreground group, so the command receives them already.
  it("does not forward the terminal's signals while it is in the foreground", () => {
    let inForeground = true;
    const { process, relay } = relayIn(() => inForeground);
    const sent: string[] = [];
    relay.passTo((signal) => sent.push(signal));
    for (const signal of ALL) process.emit(signal);
    assert.deepEqual(sent.splice(0), ["SIGHUP", "SIGTERM", "SIGUSR1", "SIGUSR2"]);
    inForeground = false;
    for (const signal of ALL) process.emit(signal);
    assert.deepEqual(sent, ALL);
  });

  // A command that is being restarted must not start again after Ctrl-C, which the terminal sends to the command itself.
  it("gives notice of each signal before it is forwarded, also of a signal that is not forwarded", () => {
    const { process, relay } = relayIn(() => true);
    const events: string[] = [];
    relay.passTo(
      (signal) => events.push(`sent ${signal}`),
      (signal) => events.push(signal),
    );
    for (const signal of ["SIGINT", "SIGTERM"]) process.emit(signal);
    assert.deepEqual(events, ["SIGINT", "SIGTERM", "sent SIGTERM"]);
  });

  // SIGWINCH only reports a new size of the terminal. After any other signal, the result of the work is ignored.
  it("rejects at a signal before the command runs, except for SIGWINCH", async () => {
    const { process, relay } = relayIn(() => true);
    const status = (error: unknown) => error instanceof ExitStatus && error.status === 143;
    const ended = relay.until(new Promise((_, reject) => setImmediate(reject, new Error("too late"))));
    process.emit("SIGWINCH");
    process.emit("SIGTERM");
    process.emit("SIGINT");
    await assert.rejects(ended, status);
    assert.equal(await relay.until(Promise.resolve("read")), "read");
    await assert.rejects(relay.until(Promise.reject(new Error("refused"))), /refused/);
  });
});

describe("the foreground of a terminal", () => {
  const inForeground = (stat: string | undefined, hasTerminal = false) =>
    isInForeground({ read: () => stat, write: () => {} }, hasTerminal);

  // proc(5): the fifth field is the process group, the eighth the foreground group. The program's name may look like
  // fields.
  it("is found by the process group", () => {
    assert.ok(inForeground("7 (node) S 1 5 5 34816 5 0"));
    assert.ok(inForeground("7 (a) S 1 9 (b) S 1 5 5 34816 5 0"));
    assert.ok(!inForeground("7 (node) S 1 5 5 34816 6 0"));
    assert.ok(!inForeground("7 (node) S 1 5 5 0 -1 0"));
  });

  it("is assumed without /proc if there is a terminal", () => {
    assert.ok(inForeground(undefined, true));
    assert.ok(!inForeground(undefined, false));
  });
});
