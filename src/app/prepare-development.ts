import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_MAX_CONTENT_BYTES } from "../contract/limits.ts";
import type { Clock } from "../domain/timers.ts";
import { SpiffeId } from "../spiffe/spiffe-id.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import { makeRootKey } from "../persistence/root-key-file.ts";
import { type MintReport, mintDevelopmentPki } from "../pki/development.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { RunningConfig } from "../config/read-serve-config.ts";

const TRUST_DOMAIN = TrustDomain.parse("example.org");

/** What `coffer dev` may be told; everything else is made up here. */
export interface DevelopmentOptions extends RunningConfig {
  /** The folder that certs/dev and .coffer are made in; "" for the current one, so that paths stay short. */
  readonly folder: string;
  readonly clock: Clock;
}

/** A server for development, ready to start, and the credentials to call it with. */
export interface Development {
  readonly config: ServeConfig;
  readonly minted: MintReport;
  /** The policy file. */
  readonly policy: string;
}

/**
 * Makes what a server for development needs and does not have yet: certificates in certs/dev, and in .coffer a root key,
 * a policy and the data. What is there is kept: the policy is meant to be changed, and secrets outlive a restart. The
 * root key lies beside the data it seals, as it must not anywhere else.
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
    // Whatever SPIFFE_ENDPOINT_SOCKET says: the lines that are printed to be pasted are for these files.
    identity: {
      kind: "files",
      files: {
        cert: minted.coffer.certFile,
        key: minted.coffer.keyFile,
        bundles: new Map([[TRUST_DOMAIN.name, minted.authority.certFile]]),
      },
      because: "coffer dev makes its own",
    },
    startupTimeoutMs: undefined,
    shutdownDelayMs: 0,
    policy,
    opsHosts: [],
    admins: [SpiffeId.parse(minted.admin.id)],
    // Nothing here is worth more than a look inside with a debugger.
    allowDebug: true,
    maxContentBytes: DEFAULT_MAX_CONTENT_BYTES,
  };
  return { config, minted, policy };
}

function policyFor({ api, web }: MintReport): string {
  return `# The rules of \`coffer dev\`. The server follows what you change. This file is made once and then left alone.
rules:
  - name: the api keeps its own secrets
    spiffe_ids: ["${api.id}"]
    paths: ["shop/api/**"]
    actions: [read, write, delete, list, describe]
  - name: the shop shares some
    spiffe_ids: ["${api.id}", "${web.id}"]
    paths: ["shop/shared/**"]
    actions: [read, list, describe]
`;
}
