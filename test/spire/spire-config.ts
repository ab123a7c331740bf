/** The options of a SPIRE in the tests. */
export interface SpireOptions {
  /** Its trust domain; example.org by default. */
  readonly trustDomain?: string;
  /** How often the agent synchronizes with the server, as in "1s"; "250ms" by default. */
  readonly syncInterval?: string;
  /** The lifetime of a CA, as in "1m"; a day by default. */
  readonly caTtl?: string;
  /** An upstream CA: files in PEM. */
  readonly upstream?: { readonly cert: string; readonly key: string };
}

/** The folder of one SPIRE, and the port of its server. */
export interface SpireLocation {
  readonly folder: string;
  readonly port: number;
}

/** The server's API, for administrators. */
export function serverSocket({ folder }: SpireLocation): string {
  return `${folder}/server.sock`;
}

/** The agent's socket: the Workload API. */
export function agentSocket({ folder }: SpireLocation): string {
  return `${folder}/agent.sock`;
}

/**
 * server.conf. The server reloads its caches four times a second. With SPIRE's default of five seconds, a test would
 * spend most of its time waiting.
 */
export function serverConfig(spire: SpireLocation, { trustDomain, caTtl = "24h", upstream }: SpireOptions): string {
  const { folder, port } = spire;
  const upstreamAuthority =
    upstream &&
    `UpstreamAuthority "disk" { plugin_data {
    cert_file_path = "${upstream.cert}"
    key_file_path = "${upstream.key}"
  } }`;
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${serverSocket(spire)}"
  trust_domain = "${trustDomain}"
  data_dir = "${folder}/server"
  log_level = "WARN"
  ca_key_type = "ec-p256"
  ca_ttl = "${caTtl}"
  agent_ttl = "1h"
  experimental { cache_reload_interval = "250ms" }
}
plugins {
  DataStore "sql" { plugin_data {
    database_type = "sqlite3"
    connection_string = "${folder}/server/datastore.sqlite3"
  } }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  ${upstreamAuthority ?? ""}
}
`;
}

/** agent.conf. The agent's keys are on disk, so that it can restart without another join token. */
export function agentConfig(spire: SpireLocation, { trustDomain, syncInterval = "250ms" }: SpireOptions): string {
  const { folder, port } = spire;
  return `
agent {
  data_dir = "${folder}/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = ${port}
  socket_path = "${agentSocket(spire)}"
  trust_domain = "${trustDomain}"
  insecure_bootstrap = true
  experimental { sync_interval = "${syncInterval}" }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${folder}/agent" } }
  WorkloadAttestor "unix" { plugin_data {} }
}
`;
}
