import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps a server from having more than `most` connections. Whoever comes when there are as many takes the place of the one
 * that has been silent for longest; only when all of them have asked something is it turned away. Otherwise a few silent
 * strangers, renewed each time that they are cut off, would keep the kubelet's probes out, and it would kill the pod.
 */
export function limitCrowd(server: Server, most: number): void {
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
