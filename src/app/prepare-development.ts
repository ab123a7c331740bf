import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_MAX_CONTENT_BYTES } from "../contract/limits.ts";
import type { Clock } from "../domain/timers.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import { makeRootKey } from "../persistence/root-key-file.ts";
import { type MintReport, mintDevelopmentPki } from "../pki/development.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { DEFAULT_MAX_REQUEST_IDS, DEFAULT_TOMBSTONE_RETENTION_MS } from "../config/serve-options.ts";
import type { RunningConfig } from "../config/read-serve-config.ts";

const TRUST_DOMAIN = TrustDomain.parse("example.org");

/** The options of {@link prepareDevelopment}. All other settings of the server are fixed here. */
export interface DevelopmentOptions extends RunningConfig {
  /** The folder for certs/dev and .coffer; "" for the current folder, which keeps the printed paths short. */
  readonly folder: string;
  readonly clock: Clock;
}

/** The configuration of a development server, and the credentials for its callers. */
export interface Development {
  readonly config: ServeConfig;
  readonly minted: MintReport;
  /** The policy file. */
  readonly policy: string;
}

/**
 * Creates what a development server needs: certificates in certs/dev, and a root key, a policy and the data in .coffer.
 * Existing files are not replaced: the user may edit the policy, and secrets survive a restart. For convenience, the
 * root key is in the same folder as the data that it encrypts; a real server must not do that.
 */
export function prepareDevelopment({ folder, clock, ...rest }: DevelopmentOptions): Development {
  const minted = mintDevelopmentPki({ dir: join(folder, "certs", "dev"), trustDomain: TRUST_DOMAIN, clock });
  const home = join(folder, ".coffer");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const rootKey = join(home, "root.key");
  if (!existsSync(rootKey)) makeRootKey(rootKey);
  const policy = join(home, "policy.yaml");
  if (!existsSync(policy)) writeFileSync(policy, policyFor(minted), { mode: 0o600 });
  const config: ServeConfig = {
    ...rest,
    store: { kind: "sqlite", data: join(home, "data"), rootKey },
    lockWaitMs: 0,
    // SPIFFE_ENDPOINT_SOCKET is ignored, because the printed commands use these files.
    identity: {
      kind: "files",
      files: {
        cert: minted.coffer.certFile,
        key: minted.coffer.keyFile,
        bundles: new Map([[TRUST_DOMAIN.name, minted.ca.certFile]]),
      },
      because: "coffer dev creates its own identity",
    },
    startupTimeoutMs: undefined,
    shutdownDelayMs: 0,
    policy,
    opsHosts: [],
    admins: [SpiffeId.parse(minted.admin.id)],
    // A development server has no real secrets, and developers use debuggers.
    allowDebug: true,
    maxContentBytes: DEFAULT_MAX_CONTENT_BYTES,
    tombstoneRetentionMs: DEFAULT_TOMBSTONE_RETENTION_MS,
    maxRequestIds: DEFAULT_MAX_REQUEST_IDS,
  };
  return { config, minted, policy };
}

function policyFor({ api, web }: MintReport): string {
  return `# The policy of \`coffer dev\`. The server reloads it when you change it. An existing file is never overwritten.
rules:
  - name: the api manages its own secrets
    spiffe_ids: ["${api.id}"]
    paths: ["shop/api/**"]
    actions: [read, write, delete, destroy, list, describe, watch]
  - name: the shop shares some secrets
    spiffe_ids: ["${api.id}", "${web.id}"]
    paths: ["shop/shared/**"]
    actions: [read, list, describe, watch]
`;
}
