import { isKeyText } from "../domain/key-text.ts";
import type { IdentityFiles } from "../identity/identity-files.ts";
import type { IdentitySource } from "../identity/source.ts";
import type { SpiffeId } from "../spiffe/spiffe-id.ts";
import { TrustDomain } from "../spiffe/trust-domain.ts";
import { ENDPOINT_VARIABLE, EndpointError, parseEndpoint } from "../workload-api/endpoint.ts";
import type { SourceChoice } from "../workload-api/open-source.ts";
import type { Selection } from "../workload-api/selection.ts";
import { invalidOption, noIdentity } from "./client-error.ts";
import { type NamesOf, checkOptions } from "./known-options.ts";
import { readSpiffeId } from "./values.ts";

/** An identity in files, by their paths. The client reads them again when they change. */
export interface FilesIdentity {
  /** The X.509-SVID in PEM: the leaf, then the intermediates. */
  readonly cert: string;
  /** The private key of the SVID, in PEM. Only the owner of the file may have permission to read it. */
  readonly key: string;
  /**
   * The bundle of the server's trust domain, in PEM or as a SPIFFE bundle in JSON; or several bundle files, by trust
   * domain.
   */
  readonly bundle: string | Readonly<Record<string, string>>;
}

/** An identity from the SPIFFE Workload API, followed over its stream. */
export interface WorkloadApiIdentity {
  /** `unix:///run/spire/agent.sock` or `tcp://127.0.0.1:8000`. */
  readonly workloadApi: string;
  /** Selects an SVID by its hint if several are offered. The default is the first one. */
  readonly svidHint?: string | undefined;
  /** Selects an SVID by its SPIFFE ID. */
  readonly svidId?: string | Uint8Array | SpiffeId | undefined;
}

/** The source of an identity. */
export type IdentityOption = FilesIdentity | WorkloadApiIdentity;

/** An identity source that is open already. Its owner closes it, not the client. */
export type OpenIdentity = Pick<IdentitySource, "snapshot" | "onChange"> & Partial<Pick<IdentitySource, "state">>;

/** A source that is open already, or the choice of one to open. */
export type ClientSource = { readonly kind: "open"; readonly source: OpenIdentity } | SourceChoice;

/** Environment variables. */
export type Variables = Readonly<Record<string, string | undefined>>;

const FILES: NamesOf<FilesIdentity> = { cert: true, key: true, bundle: true };
const WORKLOAD_API: NamesOf<WorkloadApiIdentity> = { workloadApi: true, svidHint: true, svidId: true };

/** Chooses the identity by the option, or without it by the environment. Throws {@link ClientError}. */
export function chooseIdentity(
  option: IdentityOption | OpenIdentity | undefined,
  serverId: SpiffeId,
  environment: Variables,
): ClientSource {
  const choice = readOption(option ?? fromEnvironment(environment, serverId), serverId);
  if (choice.kind === "files") checkBundles(choice.files, serverId);
  return choice;
}

/**
 * Parses a bundle option: `FILE` for the server's trust domain, or `TRUST-DOMAIN=FILE`. The text before "=" is a trust
 * domain if it is a valid name; so `./a=b.pem` is a file.
 */
export function readBundleFile(
  text: string,
  serverId: SpiffeId | undefined,
): readonly [trustDomain: string, file: string] {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  if (equals < text.length - 1 && isTrustDomain(name)) return [name, text.slice(equals + 1)];
  return [serverId?.trustDomain.name ?? "", text];
}

function isTrustDomain(name: string): boolean {
  try {
    return TrustDomain.parse(name).name === name;
  } catch {
    return false;
  }
}

function fromEnvironment(environment: Variables, serverId: SpiffeId): IdentityOption {
  const { [ENDPOINT_VARIABLE]: workloadApi, COFFER_CERT: cert, COFFER_KEY: key, COFFER_BUNDLE: bundle } = environment;
  if (workloadApi) return { workloadApi };
  if (cert && key && bundle) {
    return { cert, key, bundle: Object.fromEntries(bundle.split(",").map((text) => readBundleFile(text, serverId))) };
  }
  const missing = Object.entries({ COFFER_CERT: cert, COFFER_KEY: key, COFFER_BUNDLE: bundle }).filter(([, v]) => !v);
  throw noIdentity(
    ENDPOINT_VARIABLE,
    missing.map(([name]) => name),
  );
}

function readOption(option: IdentityOption | OpenIdentity, serverId: SpiffeId): ClientSource {
  if ("snapshot" in option) return { kind: "open", source: option };
  if ("workloadApi" in option) return readWorkloadApi(checkOptions(option, WORKLOAD_API, "property"));
  const { cert, key, bundle } = checkOptions(option, FILES, "property");
  if (!cert || !key || !bundle) throw invalidOption("identity: expected workloadApi, or cert, key and bundle");
  const bundles = typeof bundle === "string" ? { [serverId.trustDomain.name]: bundle } : bundle;
  if ([cert, key, ...Object.values(bundles)].some(isKeyText))
    throw invalidOption("identity: expected the paths of files, not the text of a key or a certificate");
  return { kind: "files", files: { cert, key, bundles: new Map(Object.entries(bundles)) } };
}

function readWorkloadApi({ workloadApi, svidHint: hint, svidId }: WorkloadApiIdentity): ClientSource {
  if (hint !== undefined && svidId !== undefined) throw invalidOption("identity: give svidHint or svidId, not both");
  const selection: Selection =
    svidId !== undefined
      ? { kind: "id", id: readSpiffeId("svidId", svidId) }
      : hint === undefined
        ? { kind: "default" }
        : { kind: "hint", hint };
  try {
    return { kind: "workload-api", endpoint: parseEndpoint(workloadApi), selection };
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    throw invalidOption(`the address of the Workload API, ${JSON.stringify(workloadApi)}, ${error.message}`);
  }
}

/** Checks for the bundle without which the client can't verify the server. */
function checkBundles({ bundles }: IdentityFiles, { trustDomain }: SpiffeId): void {
  if (bundles.has(trustDomain.name)) return;
  throw invalidOption(`identity: there is no bundle for ${trustDomain.name}, the trust domain of serverId`);
}
