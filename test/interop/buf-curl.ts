import { DetailType, badRequest, errorInfo } from "../../src/contract/error-details.ts";
import { runToEnd } from "../support/cli-kit.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { type Access, type Answer, type Stack, lines, succeeded } from "../support/stack.ts";

/** An error detail as buf curl prints it, not decoded. */
interface Detail {
  readonly type: string;
  readonly value: string;
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details?: readonly Detail[];
}

/** `buf curl`: connect-go's gRPC. An option selects the version of reflection. */
export function bufCurl({ address, roots, cert, key }: Access, reflection: "grpc-v1" | "grpc-v1alpha"): Stack {
  const url = `https://${address}`;
  const identity = ["--cacert", roots, "--cert", cert, "--key", key];
  const timeout = ["--timeout", `${PATIENCE_MS}ms`];
  const flags = ["curl", "--protocol", "grpc", "--reflect-protocol", reflection, ...timeout, ...identity];
  const run = (...more: string[]) => runToEnd("node_modules/.bin/buf", [...flags, ...more], {});
  return {
    services: async () => lines(await run("--list-services", url)),
    methods: async (service) =>
      lines(await run("--list-methods", url))
        .filter((line) => line.startsWith(`${service}/`))
        .map((line) => line.slice(service.length + 1)),
    call: async (method, request) => {
      const { code, stdout, stderr } = await run("--data", JSON.stringify(request), `${url}/${method}`);
      return code === 0 ? succeeded(JSON.parse(String(stdout))) : failed(stderr);
    },
  };
}

/** A failed call is JSON on stderr. Anything else on stderr is a failure of the program. */
function failed(stderr: string): Answer {
  if (!stderr.startsWith("{")) throw new Error(stderr);
  const { code, message, details = [] } = JSON.parse(stderr) as Failure;
  const bytesOf = (type: string) => {
    const detail = details.find((each) => `type.googleapis.com/${each.type}` === type);
    return detail && Buffer.from(detail.value, "base64");
  };
  const [info, request] = [bytesOf(DetailType.errorInfo), bytesOf(DetailType.badRequest)];
  const { reason, metadata } = info === undefined ? { reason: undefined, metadata: [] } : errorInfo.decode(info);
  return {
    code: code.toUpperCase(),
    message,
    reason,
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, Buffer.from(value).toString()])),
    violations: request === undefined ? [] : badRequest.decode(request).fieldViolations.map(({ field }) => field),
    response: undefined,
  };
}
