/** How a container engine checks the health of a container. */
export interface Healthcheck {
  /** The command, in exec form. */
  readonly test: readonly string[];
  /** The pause between two checks while the container starts, in milliseconds. */
  readonly startIntervalMs: number;
}

/** An image: a folder that becomes the root of containers, and how to start them. */
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
