import { type Socket, connect } from "node:net";
import { connect as connectTls, createSecureContext } from "node:tls";
import { clientHello } from "./client-hello.ts";
import type { FloodKind, Flood } from "./unauthenticated-clients.ts";

// The process of the unauthenticated clients. The parent's first message describes the flood, which begins then. This
// process sends a count when all connections have been opened once, and the final count at the parent's second message.

const count = { opened: 0, closed: 0 };

process.once("message", async (flood: Flood) => {
  process.once("message", () => process.send!(count, () => process.exit()));
  const behave = BEHAVIOUR[flood.kind](flood, await clientHello());
  for (let i = 0; i < flood.connections; i++) keepOpen(flood, behave);
});

/** Opens a connection, and opens it again whenever the server has closed it. */
function keepOpen(flood: Flood, behave: (socket: Socket) => void): void {
  const socket = connect({ host: "127.0.0.1", port: flood.port, localAddress: flood.from });
  let opened = false;
  socket.once("connect", () => {
    opened = true;
    count.opened += 1;
    if (count.opened === flood.connections) process.send!(count);
    behave(socket);
  });
  socket.on("error", exitWithoutDescriptors);
  socket.once("close", () => {
    if (opened) count.closed += 1;
    setImmediate(keepOpen, flood, behave);
  });
}

/** A closed or reset connection is reopened. Without free file descriptors the flood would stop unnoticed. */
function exitWithoutDescriptors({ code }: NodeJS.ErrnoException): void {
  if (code === "EMFILE") process.exit(1);
}

const BEHAVIOUR: Readonly<Record<FloodKind, (flood: Flood, hello: Buffer) => (socket: Socket) => void>> = {
  silent: () => (socket) => socket.resume(),
  "half-hello": (_, hello) => (socket) => socket.resume().write(hello.subarray(0, hello.length / 2)),
  hello: (_, hello) => (socket) => socket.resume().write(hello),
  handshake: ({ certificate }) => {
    const secureContext = createSecureContext(certificate);
    const options = { secureContext, rejectUnauthorized: false, ALPNProtocols: ["h2"] };
    return (socket) => {
      connectTls({ socket, ...options })
        .on("error", () => {})
        .resume();
    };
  },
};
