import assert from "node:assert/strict";
import { test } from "node:test";
import { CallServer } from "../../../src/transport/call-server.ts";

// The method by which grpc-js takes a stream is private. An update that renames it must fail here, and not at a call.
test("grpc-js takes single HTTP/2 streams, and without that there is no server", () => {
  assert.doesNotThrow(() => new CallServer({}));
  class Renamed extends CallServer {}
  Object.defineProperty(Renamed.prototype, "_streamHandler", { value: undefined });
  assert.throws(() => new Renamed({}), /takes no single HTTP\/2 streams/);
});
