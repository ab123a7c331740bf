import { type Field, int32, int64, message, readMessage, scalar, writeMessage } from "./message.ts";
import { WireError, WireType } from "./wire.ts";

/** google.protobuf.Timestamp as whole milliseconds since the epoch, rounded down; undefined if absent. */
export const timestamp = (number: number, name: string): Field<number | undefined> =>
  time(number, name, Math.floor, ({ seconds, nanos }) => {
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
      throw new WireError("is not in the years 1 to 9999", "seconds");
    if (nanos < 0 || nanos >= NANOS) throw new WireError("is not between 0 and 999,999,999", "nanos");
    return seconds * 1000 + Math.floor(nanos / NANOS_OF_MS);
  });

/** google.protobuf.Duration in milliseconds, with a fraction if it has one; undefined if absent. */
export const duration = (number: number, name: string): Field<number | undefined> =>
  time(number, name, Math.trunc, ({ seconds, nanos }) => {
    if (Math.abs(seconds) > MAX_SECONDS) throw new WireError("is more than 10,000 years", "seconds");
    const isValid = Math.abs(nanos) < NANOS && seconds * nanos >= 0;
    if (!isValid) throw new WireError("has another sign than seconds, or is not less than a second", "nanos");
    return seconds * 1000 + nanos / NANOS_OF_MS;
  });

/** The fields of both types (google/protobuf/timestamp.proto, duration.proto). */
interface SecondsAndNanos {
  readonly seconds: number;
  readonly nanos: number;
}

// The first and last second of a Timestamp (google/protobuf/timestamp.proto): 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z.
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

/** The most seconds of a Duration (google/protobuf/duration.proto): 10,000 years. */
const MAX_SECONDS = 315_576_000_000;

const NANOS = 1_000_000_000;
const NANOS_OF_MS = 1_000_000;

const secondsAndNanos = message<SecondsAndNanos>({ seconds: int64(1, "seconds"), nanos: int32(2, "nanos") });

/**
 * `toSeconds` rounds to the seconds that the type requires: nanos are never negative in a Timestamp, and have the sign of
 * the seconds in a Duration.
 */
function time(
  number: number,
  name: string,
  toSeconds: (seconds: number) => number,
  toMs: (value: SecondsAndNanos) => number,
): Field<number | undefined> {
  return scalar<number, undefined>(number, name, {
    type: "MESSAGE",
    wireType: WireType.bytes,
    absent: undefined,
    read: (reader) => toMs(readMessage(reader, secondsAndNanos)),
    write: (writer, ms) => {
      const seconds = toSeconds(ms / 1000);
      writeMessage(writer, secondsAndNanos, { seconds, nanos: Math.round((ms - seconds * 1000) * NANOS_OF_MS) });
    },
  });
}
