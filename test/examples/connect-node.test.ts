import { join } from "node:path";
import type { Variables } from "./site.ts";
import { type Identity, testStack } from "./stack.ts";
import { SvidFiles } from "./svid-files.ts";

testStack({
  heading: "Connect for Node",
  folders: ["connect-node"],
  copy: "connect-node",
  needs: ["npm -v"],
  notFound: "NotFound",
  verifiesId: true,
  prepare: followFiles,
});

// Connect has no library for the Workload API. This replaces spiffe-helper.
async function followFiles({ site, spire }: Identity, variables: Variables): Promise<Variables> {
  const folder = join(site.machine.folder, `svid-of-${spire.trustDomain}`);
  const isForeign = spire !== site.spire;
  const files = await SvidFiles.open(folder, spire, isForeign ? "federated_bundle.0.0.pem" : "bundle.0.pem");
  site.atEnd(() => files.close());
  return { ...variables, SVID_FOLDER: folder };
}
