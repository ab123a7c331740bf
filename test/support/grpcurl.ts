import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { status as Code } from "@grpc/grpc-js";
import { type Ran, runToEnd } from "./cli-kit.ts";
import { findProgram } from "./executable.ts";
import { PATIENCE_MS } from "./patience.ts";
import { type Access, type Answer, type Stack, lines, succeeded } from "./stack.ts";

/** The command that installs the version of grpcurl that these tests use. */
export const GRPCURL_INSTALL = "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4";

/** The path of grpcurl: on the PATH, or where `go install` puts it; undefined if it is not installed. */
export function findGrpcurl(): string | undefined {
  const { stdout } = spawnSync("go", ["env", "GOPATH"], { encoding: "utf8" });
  const gopath = stdout?.trim() || join(homedir(), "go");
  return findProgram("grpcurl", join(gopath, "bin"));
}

/** A detail as grpcurl prints it, decoded with the type from reflection. */
interface Detail {
  readonly "@type": string;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly { readonly field: string }[];
}

interface Failure {
  readonly code: number;
  readonly message: string;
  readonly details?: readonly Detail[];
}

/** Runs grpcurl with additional flags before the address, and arguments after it. */
export type RunGrpcurl = (flags: readonly string[], ...verbs: readonly string[]) => Promise<Ran>;

/** grpcurl as one workload. */
export function runGrpcurl(program: string, { address, roots, cert, key }: Access): RunGrpcurl {
  const identity = ["-cacert", roots, "-cert", cert, "-key", key, "-max-time", `${PATIENCE_MS / 1000}`];
  return (flags, ...verbs) => runToEnd(program, [...identity, ...flags, address, ...verbs], {});
}

/** `grpcurl`: grpc-go, which tries reflection v1 first. */
export function grpcurl(run: RunGrpcurl): Stack {
  return {
    services: async () => lines(await run([], "list")),
    methods: async (service) => lines(await run([], "list", service)).map((line) => line.slice(service.length + 1)),
    call: async (method, request) => {
      const { code, stdout, stderr } = await run(["-format-error", "-d", JSON.stringify(request)], method);
      return code === 0 ? succeeded(JSON.parse(String(stdout))) : failed(stderr);
    },
  };
}

/** A failed call prints JSON on standard error. Any other output there is a failure of the program. */
function failed(stderr: string): Answer {
  if (!stderr.startsWith("{")) throw new Error(stderr);
  const { code, message, details = [] } = JSON.parse(stderr) as Failure;
  const find = (type: string) => details.find((detail) => detail["@type"] === `type.googleapis.com/${type}`);
  const info = find("google.rpc.ErrorInfo");
  const request = find("google.rpc.BadRequest");
  return {
    code: Code[code]!,
    message,
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    violations: (request?.fieldViolations ?? []).map(({ field }) => field),
    response: undefined,
  };
}
