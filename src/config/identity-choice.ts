import type { IdentityFiles } from "../identity/identity-files.ts";
import { type Endpoint, parseEndpoint } from "../workload-api/endpoint.ts";
import type { Selection } from "../workload-api/selection.ts";
import type { DefineOption, OptionDefinition, OptionReader } from "./option.ts";
import { parseSpiffeId } from "./value.ts";

/** The variable that says where the Workload API is (SPIFFE Workload Endpoint 4). */
export const ENDPOINT_VARIABLE = "SPIFFE_ENDPOINT_SOCKET";

/** Where our identity comes from. `because` says what decided it, as the end of a sentence. */
export type IdentityChoice =
  | { readonly kind: "files"; readonly files: IdentityFiles; readonly because: string }
  | {
      readonly kind: "workload-api";
      readonly endpoint: Endpoint;
      readonly selection: Selection;
      readonly because: string;
    };

/** The options that decide it, by the descriptions of one command. */
export interface IdentityOptions {
  readonly cert: OptionDefinition;
  readonly key: OptionDefinition;
  readonly bundle: OptionDefinition;
  readonly svidHint: OptionDefinition;
  readonly svidId: OptionDefinition;
}

/** Which SVID to take where the Workload API offers several: the same flags for clients and for the server. */
export function selectionOptions(option: DefineOption) {
  const standard = "the first one";
  return {
    svidHint: option("--svid-hint", "<hint>", "use the SVID of the Workload API that has this hint", { standard }),
    svidId: option("--svid-id", "<spiffe-id>", "use the SVID of the Workload API that has this SPIFFE ID", {
      standard,
    }),
  };
}

/** The file of a bundle, and the bare name of its trust domain; empty where it can't be told. */
export type BundleFile = readonly [trustDomain: string, file: string];

/**
 * Files when any of them is named: a set that is only half given is a mistake, and must not end in another identity
 * than the one that was meant. The Workload API otherwise. Problems go to `reader`; undefined when there is any.
 */
export function readIdentityChoice(
  reader: OptionReader,
  options: IdentityOptions,
  parseBundle: (text: string) => BundleFile,
): IdentityChoice | undefined {
  const given = filesOf(options).map((option) => reader.sourceOf(option));
  const sources = given.filter((source) => source !== undefined);
  if (sources.length > 0) return readFiles(reader, options, parseBundle, sources);
  if (reader.hasVariable(ENDPOINT_VARIABLE)) return readWorkloadApi(reader, options);
  reader.problem(
    `an identity is required: give ${flags(filesOf(options), "and")}, ` +
      `or set ${ENDPOINT_VARIABLE} to the address of the SPIFFE Workload API`,
  );
  return undefined;
}

/** Where the identity is sought, for people. */
export function describeChoice(choice: IdentityChoice): string {
  if (choice.kind === "workload-api") return `the Workload API at ${choice.endpoint.text}`;
  const { cert, key, bundles } = choice.files;
  return `the files ${[...new Set([cert, key, ...bundles.values()])].join(", ")}`;
}

const filesOf = ({ cert, key, bundle }: IdentityOptions) => [cert, key, bundle];

function flags(options: readonly OptionDefinition[], conjunction: string): string {
  const names = options.map(({ flag }) => flag);
  return `${names.slice(0, -1).join(", ")} ${conjunction} ${names.at(-1)}`;
}

function readFiles(
  reader: OptionReader,
  options: IdentityOptions,
  parseBundle: (text: string) => BundleFile,
  sources: readonly string[],
): IdentityChoice | undefined {
  for (const option of filesOf(options)) {
    if (reader.isGiven(option)) continue;
    const { flag, variable, description } = option;
    reader.problem(`${flag} (or ${variable}) is required, since ${sources[0]} is given: ${description}`);
  }
  for (const option of [options.svidHint, options.svidId]) {
    const source = reader.sourceOf(option);
    if (source) reader.problem(`${source} chooses among the SVIDs of the Workload API, but ${sources[0]} is given`);
  }
  const cert = reader.optional(options.cert, (text) => text);
  const key = reader.optional(options.key, (text) => text);
  const bundles = reader.all(options.bundle, parseBundle);
  reportRepeated(reader, options.bundle, bundles);
  if (cert === undefined || key === undefined) return undefined;
  const because = `${sources.join(", ")} ${sources.length > 1 ? "are" : "is"} given`;
  return { kind: "files", files: { cert, key, bundles: new Map(bundles) }, because };
}

function reportRepeated(reader: OptionReader, { flag }: OptionDefinition, bundles: readonly BundleFile[]): void {
  const names = bundles.map(([trustDomain]) => trustDomain).filter((name) => name !== "");
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  for (const name of repeated) reader.problem(`${flag}: ${name} is given twice`);
}

function readWorkloadApi(reader: OptionReader, options: IdentityOptions): IdentityChoice | undefined {
  const endpoint = reader.variable(ENDPOINT_VARIABLE, parseEndpoint);
  const selection = readSelection(reader, options);
  if (endpoint === undefined) return undefined;
  const because = `${ENDPOINT_VARIABLE} is set, and none of ${flags(filesOf(options), "and")} is given`;
  return { kind: "workload-api", endpoint, selection, because };
}

function readSelection(reader: OptionReader, { svidHint, svidId }: IdentityOptions): Selection {
  const hint = reader.optional(svidHint, (text) => text);
  const id = reader.optional(svidId, parseSpiffeId);
  if (hint !== undefined && id !== undefined) {
    reader.problem(`${svidHint.flag} and ${svidId.flag} choose in two ways; give one of them`);
  }
  if (id !== undefined) return { kind: "id", id };
  return hint === undefined ? { kind: "default" } : { kind: "hint", hint };
}
