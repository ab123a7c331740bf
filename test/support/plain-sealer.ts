import { createHash } from "node:crypto";
import { SealBroken, type Sealer } from "../../src/sealing/sealer.ts";

/** Binds bytes to their context without encryption: for tests of the store that are not about encryption. */
export const plainSealer: Sealer = {
  overhead: 0,
  digest: (parts) => createHash("sha256").update(Buffer.concat(parts)).digest(),
  seal: (plaintext, context) => Buffer.concat([Buffer.from([context.length]), Buffer.from(context), plaintext]),
  open: (sealed, context) => {
    const bytes = Buffer.from(sealed);
    const length = bytes[0]!;
    if (!bytes.subarray(1, 1 + length).equals(Buffer.from(context))) throw new SealBroken("not authentic");
    return Buffer.from(bytes.subarray(1 + length));
  },
};
