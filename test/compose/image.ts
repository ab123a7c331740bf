/** How an engine finds out whether a container is healthy. */
export interface Healthcheck {
  /** The command, in exec form. */
  readonly test: readonly string[];
  /** How long it waits between two questions while the container starts, in milliseconds. */
  readonly startIntervalMs: number;
}

/** An image: a folder that becomes the root of containers, and how they are started. */
export interface Image {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** "uid:gid", both as numbers. */
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: Healthcheck | undefined;
}
