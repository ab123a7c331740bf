/**
 * The messages of coffer.proto. The comments of the proto explain each field. Times are milliseconds since the epoch;
 * durations are milliseconds.
 */
export * from "./change-messages.ts";
export * from "./commit-messages.ts";
export * from "./describe-messages.ts";
export * from "./get-messages.ts";
export * from "./list-messages.ts";
export * from "./report-messages.ts";
export * from "./version-messages.ts";
export * from "./watch-messages.ts";
