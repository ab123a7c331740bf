import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { it } from "node:test";
import { ServerKit } from "../support/server-kit.ts";

// The certificate is not secret and can't be forged, so the server uses it. But a user who can change it can make it
// invalid, and so end the service.
it("uses a certificate that other users can change, with one warning for each start and change", async () => {
  const kit = await ServerKit.start();
  const warnings = () => kit.log.filter(({ event }) => event === "file warning");
  assert.deepEqual(warnings(), []);
  chmodSync(kit.files.cert, 0o666);
  await kit.restart();
  await kit.stop();
  const [warning, ...more] = warnings();
  assert.deepEqual([warning?.["level"], more], ["warn", []]);
  assert.match(String(warning?.["detail"]), /coffer\.pem can be changed by every user of this machine .*chmod go-w /);
});
