import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Limits the connections of a server to `most`. When a new connection exceeds the limit, the server closes the oldest
 * connection that has sent no request. This is the new one only if all others have sent a request. If the server always
 * closed the new one, clients that open connections and send nothing could keep the kubelet's probes out, and the
 * kubelet would kill the pod.
 */
export function limitConnections(server: Server, most: number): void {
  const open = new Set<Socket>();
  const silent = new Set<Socket>();
  const forget = (socket: Socket) => {
    open.delete(socket);
    silent.delete(socket);
  };
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    silent.add(socket);
    socket.once("close", () => forget(socket));
    if (open.size <= most) return;
    const [longest] = silent;
    if (longest === undefined) return;
    forget(longest);
    longest.destroy();
  });
  server.on("request", ({ socket }: IncomingMessage) => silent.delete(socket));
}
