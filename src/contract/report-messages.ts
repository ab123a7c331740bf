import { MAX_REQUEST_FIELDS } from "./limits.ts";
import { enumeration, message, string, uint32 } from "./message.ts";
import { repeated } from "./repeated-fields.ts";

/** The numbers of the enum ReportState. */
export const ReportState = {
  /** Not valid in a report. */
  unspecified: 0,
  /** The workload has received the version. */
  received: 1,
  /** The workload uses the version, and no older one. */
  inUse: 2,
} as const;

/** The version that a watching workload has. */
export interface ReportRequest {
  readonly path: string;
  /** The identity of the stream, from SYNCED. */
  readonly watchId: string;
  readonly version: number;
  /** A number of {@link ReportState}. */
  readonly state: number;
  /** The name of this instance of the workload; may be empty. */
  readonly instance: string;
}

/** ReportRequest on the wire. */
export const reportRequest = message<ReportRequest>(
  {
    path: string(1, "path"),
    watchId: string(2, "watch_id"),
    version: uint32(3, "version"),
    state: enumeration(4, "state"),
    instance: string(5, "instance"),
  },
  MAX_REQUEST_FIELDS,
);

/** Is empty. */
export type ReportResponse = Record<never, never>;

/** ReportResponse on the wire. */
export const reportResponse = message<ReportResponse>({});

/** A watcher that does not use the newest version. */
export interface LaggingWatcher {
  /** The SPIFFE ID of the watcher. */
  readonly spiffeId: string;
  /** The instance of its last report; empty if it has made none. */
  readonly instance: string;
  /** Its version; 0 if it has made no report. */
  readonly version: number;
  /** The state that it reported: a number of {@link ReportState}. */
  readonly state: number;
}

/** Watcher on the wire. */
export const laggingWatcher = message<LaggingWatcher>({
  spiffeId: string(1, "spiffe_id"),
  instance: string(2, "instance"),
  version: uint32(3, "version"),
  state: enumeration(4, "state"),
});

/** Counts the watchers of a secret. */
export interface Convergence {
  /** The number of watchers. */
  readonly watchers: number;
  /** The number of watchers whose version is the newest one. */
  readonly converged: number;
  /** At most 100 of the watchers that have not converged. */
  readonly behind: readonly LaggingWatcher[];
}

/** Convergence on the wire. */
export const convergence = message<Convergence>({
  watchers: uint32(1, "watchers"),
  converged: uint32(2, "converged"),
  behind: repeated(3, "behind", laggingWatcher),
});
