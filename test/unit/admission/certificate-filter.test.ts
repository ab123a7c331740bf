import assert from "node:assert/strict";
import { it } from "node:test";
import { createSecureContext } from "node:tls";
import { loadCertificateFilter } from "../../../src/admission/certificate-filter.ts";
import { runToEnd } from "../../support/cli-kit.ts";

const MODULE = new URL("../../../src/admission/certificate-filter.js", import.meta.url).href;

// The filter calls functions with the address of the context: anything else would end the process.
it("is applied to contexts of node:tls only", async () => {
  const filter = await loadCertificateFilter();
  filter.apply(createSecureContext());
  for (const context of [{}, { _external: 1 }, { _external: "[External: 10]" }])
    assert.throws(() => filter.apply({ context }), /does not show the address of a TLS context/);
});

it("is unavailable without koffi", async () => {
  const script = `const { loadCertificateFilter } = await import(${JSON.stringify(MODULE)});
    await loadCertificateFilter().catch(({ name, message }) => console.log(name, message));`;
  const { stdout } = await runToEnd(process.execPath, ["--no-addons", "--input-type=module", "--eval", script], {
    env: {},
  });
  assert.match(stdout.toString(), /^FilterUnavailable /);
});
