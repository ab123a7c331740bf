/** The values of each series during the hour before the evaluation, in promtool's notation: a value, x, repetitions. */
type Series = Readonly<Record<string, string>>;

/** Series at which an alert fires, and similar series at which it does not. */
export interface AlertSample {
  readonly alert: string;
  readonly fires: Series;
  readonly quiet: Series;
}

/** One sample every 15 seconds, so that an hour has 240. The evaluation is at its end, at Unix time 3600. */
export const SAMPLE_SECONDS = 15;

const always = (value: number | string) => `${value}x240`;
/** A counter that grows by `step` with each sample. */
const growing = (step: number | string) => `0+${step}x240`;
/** A counter that has grown by `by` in the last two and a half minutes. */
const grown = (by: number) => `0x230 ${by}x10`;

const call = (method: string, code: string) =>
  `grpc_server_handled_total{job="coffer", instance="a", grpc_type="unary", grpc_service="coffer.v1.Secrets", grpc_method="${method}", grpc_code="${code}"}`;
const refused = (reason: string) => `coffer_connections_refused_total{job="coffer", instance="a", reason="${reason}"}`;
const failed = (reason: string) => `coffer_call_errors_total{job="coffer", instance="a", reason="${reason}"}`;
const gauge = (name: string, labels = "") => `${name}{job="coffer", instance="a"${labels}}`;
const watches = (front: number) => gauge("coffer_watches", `, thread="front ${front}"`);
const gets = (bucket: string) =>
  gauge("grpc_server_handling_seconds_bucket", `, grpc_service="coffer.v1.Secrets", grpc_method="Get", le="${bucket}"`);

const UP = gauge("up");
const STARTED = gauge("process_start_time_seconds");
const SECRETS = gauge("coffer_secrets");

export const ALERT_SAMPLES: readonly AlertSample[] = [
  { alert: "CofferDown", fires: { [UP]: "1x230 0x10" }, quiet: { [UP]: "1x230 0x2 1x8" } },
  // A deleted pod is not a target that is down, and targets of another job do not count.
  {
    alert: "CofferDown",
    fires: { [UP]: "1x200 stale", 'up{job="other"}': always(1) },
    quiet: { [UP]: always(1), 'up{job="other"}': always(0) },
  },
  {
    alert: "CofferNotReady",
    fires: { [gauge("coffer_ready", ', check="journal"')]: "1x220 0x20" },
    quiet: { [gauge("coffer_ready", ', check="journal"')]: "1x220 0x4 1x16" },
  },
  { alert: "CofferRestarts", fires: { [STARTED]: "10x200 20x20 30x20" }, quiet: { [STARTED]: "10x60 20x100 30x80" } },
  // Each pod is a separate instance.
  {
    alert: "CofferRestarts",
    fires: {
      [STARTED]: "10x200 stale",
      'process_start_time_seconds{job="coffer", instance="b"}': "_x200 20x19 stale",
      'process_start_time_seconds{job="coffer", instance="c"}': "_x220 30x20",
    },
    quiet: { [STARTED]: "10x200 stale", 'process_start_time_seconds{job="coffer", instance="b"}': "_x200 20x40" },
  },
  { alert: "CofferFewerSecrets", fires: { [SECRETS]: "100x200 49x40" }, quiet: { [SECRETS]: "100x200 51x40" } },
  {
    alert: "CofferFewerSecrets",
    fires: { [SECRETS]: "100x200 stale", 'coffer_secrets{job="coffer", instance="b"}': "_x200 0x40" },
    quiet: { [SECRETS]: "100x200 stale", 'coffer_secrets{job="coffer", instance="b"}': "_x200 100x40" },
  },
  // The SVID has had less than 15 minutes left for six minutes, or for four. The alert requires five.
  {
    alert: "CofferIdentityExpires",
    fires: { [gauge("coffer_svid_not_after_seconds")]: always(3600 + 9 * 60) },
    quiet: { [gauge("coffer_svid_not_after_seconds")]: always(3600 + 11 * 60) },
  },
  // The bundle has had less than six hours left for eleven minutes, or for nine. The alert requires ten.
  {
    alert: "CofferBundleExpires",
    fires: {
      [gauge("coffer_bundle_not_after_seconds", ', trust_domain="example.org"')]: always(3600 + 6 * 3600 - 11 * 60),
    },
    quiet: {
      [gauge("coffer_bundle_not_after_seconds", ', trust_domain="example.org"')]: always(3600 + 6 * 3600 - 9 * 60),
    },
  },
  // The metric is 0 for an empty bundle.
  {
    alert: "CofferBundleExpires",
    fires: { [gauge("coffer_bundle_not_after_seconds", ', trust_domain="other.org"')]: always(0) },
    quiet: { [gauge("coffer_bundle_not_after_seconds", ', trust_domain="other.org"')]: always(3600 + 86_400) },
  },
  {
    alert: "CofferRefusesChanges",
    fires: { [failed("DISK_FULL")]: grown(1) },
    quiet: { [failed("BUDGET_EXCEEDED")]: grown(9), [failed("DISK_FULL")]: "0x100 1x140" },
  },
  {
    alert: "CofferCallerOverBudget",
    fires: { [failed("BUDGET_EXCEEDED")]: growing(1.1 * SAMPLE_SECONDS) },
    quiet: { [failed("BUDGET_EXCEEDED")]: growing(0.9 * SAMPLE_SECONDS) },
  },
  {
    alert: "CofferFaults",
    fires: { [call("Get", "DataLoss")]: grown(1) },
    quiet: { [call("Get", "NotFound")]: grown(9), [call("Get", "DataLoss")]: "0x100 1x140" },
  },
  {
    alert: "CofferNotAccepted",
    fires: { [refused("not-accepted")]: grown(1) },
    quiet: { [refused("expired")]: grown(9), [refused("not-accepted")]: "0x100 1x140" },
  },
  {
    alert: "CofferRefusesConnections",
    fires: { [refused("expired")]: growing(0.12 * SAMPLE_SECONDS) },
    quiet: {
      [refused("expired")]: growing(0.08 * SAMPLE_SECONDS),
      [refused("handshake-failed")]: growing(9 * SAMPLE_SECONDS),
    },
  },
  {
    alert: "CofferDeniesCalls",
    fires: { [call("Get", "PermissionDenied")]: growing(1.1 * SAMPLE_SECONDS) },
    quiet: { [call("Get", "PermissionDenied")]: growing(0.9 * SAMPLE_SECONDS) },
  },
  {
    alert: "CofferPolicyReloadFailed",
    fires: { [gauge("coffer_policy_loaded")]: "1x230 0x10" },
    quiet: { [gauge("coffer_policy_loaded")]: "1x230 0x2 1x8" },
  },
  // 51 of 100 watchers have been gone for eleven minutes, or 49. They are on two threads.
  {
    alert: "CofferFewerWatchers",
    fires: { [watches(1)]: "50x195 0x45", [watches(2)]: "50x195 49x45" },
    quiet: { [watches(1)]: "50x195 1x45", [watches(2)]: "50x195 50x45" },
  },
  {
    alert: "CofferStoreFills",
    fires: { [gauge("coffer_store_bytes")]: always(81), [gauge("coffer_store_limit_bytes")]: always(100) },
    quiet: { [gauge("coffer_store_bytes")]: always(79), [gauge("coffer_store_limit_bytes")]: always(100) },
  },
  {
    alert: "CofferMemory",
    fires: {
      [gauge("process_resident_memory_bytes")]: always(1.595e9),
      [gauge("coffer_store_limit_bytes")]: always(1e9),
      [gauge("coffer_connections")]: always(1000),
    },
    quiet: {
      [gauge("process_resident_memory_bytes")]: always(1.575e9),
      [gauge("coffer_store_limit_bytes")]: always(1e9),
      [gauge("coffer_connections")]: always(1000),
    },
  },
  {
    alert: "CofferConnections",
    fires: { [gauge("coffer_connections")]: always(81), [gauge("coffer_connections_limit")]: always(100) },
    quiet: { [gauge("coffer_connections")]: always(79), [gauge("coffer_connections_limit")]: always(100) },
  },
  {
    alert: "CofferHandshakes",
    fires: {
      [gauge("coffer_handshakes_total")]: growing(165 * SAMPLE_SECONDS),
      [gauge("coffer_handshake_rate_limit")]: always(200),
    },
    quiet: {
      [gauge("coffer_handshakes_total")]: growing(155 * SAMPLE_SECONDS),
      [gauge("coffer_handshake_rate_limit")]: always(200),
    },
  },
  {
    alert: "CofferHandshakes",
    fires: {
      [gauge("coffer_handshakes_in_progress")]: always(51),
      [gauge("coffer_handshakes_in_progress_limit")]: always(100),
    },
    quiet: {
      [gauge("coffer_handshakes_in_progress")]: always(49),
      [gauge("coffer_handshakes_in_progress_limit")]: always(100),
    },
  },
  {
    alert: "CofferSlowDisk",
    fires: { [gauge("coffer_commit_seconds_sum")]: growing(0.11), [gauge("coffer_commit_seconds_count")]: growing(10) },
    quiet: { [gauge("coffer_commit_seconds_sum")]: growing(0.09), [gauge("coffer_commit_seconds_count")]: growing(10) },
  },
  // Two Gets in a hundred take longer than 50 ms, or half a Get in a hundred. The alert requires more than one.
  {
    alert: "CofferSlowGets",
    fires: { [gets("0.05")]: growing(980), [gets("0.1")]: growing(1000), [gets("+Inf")]: growing(1000) },
    quiet: { [gets("0.05")]: growing(995), [gets("0.1")]: growing(1000), [gets("+Inf")]: growing(1000) },
  },
  {
    alert: "CofferStalls",
    fires: { [gauge("coffer_event_loop_delay_seconds", ', thread="front 1", quantile="1"')]: always(0.6) },
    quiet: {
      [gauge("coffer_event_loop_delay_seconds", ', thread="front 1", quantile="1"')]: always(0.4),
      [gauge("coffer_event_loop_delay_seconds", ', thread="front 1", quantile="0.5"')]: always(0.6),
      [gauge("coffer_event_loop_delay_seconds", ', thread="store", quantile="1"')]: always(0.6),
    },
  },
  {
    alert: "CofferBusy",
    fires: {
      [gauge("process_cpu_seconds_total")]: growing(1.8 * SAMPLE_SECONDS),
      [gauge("coffer_threads")]: always(2),
    },
    quiet: {
      [gauge("process_cpu_seconds_total")]: growing(1.6 * SAMPLE_SECONDS),
      [gauge("coffer_threads")]: always(2),
    },
  },
];
