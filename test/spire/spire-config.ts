/** What differs between the SPIREs of the tests. */
export interface SpireShape {
  /** Its trust domain; example.org by default. */
  readonly trustDomain?: string;
  /** How often the agent asks for news, as in "1s"; "250ms" by default. */
  readonly syncInterval?: string;
  /** How long an authority is valid, as in "1m"; a day by default. */
  readonly caTtl?: string;
  /** An authority above SPIRE's own: files in PEM. */
  readonly upstream?: { readonly cert: string; readonly key: string };
}

/** Where one SPIRE keeps its things, and the port of its server. */
export interface SpirePlace {
  readonly folder: string;
  readonly port: number;
}

/** The server's API, for administrators. */
export function serverSocket({ folder }: SpirePlace): string {
  return `${folder}/server.sock`;
}

/** The agent's socket: the Workload API. */
export function agentSocket({ folder }: SpirePlace): string {
  return `${folder}/agent.sock`;
}

/**
 * server.conf. The caches are read again four times a second where SPIRE's default is every five, which makes all the
 * waiting of a test.
 */
export function serverConfig(place: SpirePlace, { trustDomain, caTtl = "24h", upstream }: SpireShape): string {
  const { folder, port } = place;
  const above =
    upstream &&
    `UpstreamAuthority "disk" { plugin_data {
    cert_file_path = "${upstream.cert}"
    key_file_path = "${upstream.key}"
  } }`;
  return `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${serverSocket(place)}"
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
  ${above ?? ""}
}
`;
}

/** agent.conf. Its keys are on disk, so that it can come back without another token. */
export function agentConfig(place: SpirePlace, { trustDomain, syncInterval = "250ms" }: SpireShape): string {
  const { folder, port } = place;
  return `
agent {
  data_dir = "${folder}/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = ${port}
  socket_path = "${agentSocket(place)}"
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
