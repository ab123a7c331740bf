/** Where the server listens, and where clients call it, unless they are told otherwise. */
export const DEFAULT_ADDRESS = "127.0.0.1:8553";

/** Where probes, metrics and the status are served, and where `coffer status` asks, unless they are told otherwise. */
export const DEFAULT_OPS_ADDRESS = "127.0.0.1:9553";
