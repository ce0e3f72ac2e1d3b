/** Reads why a server ended a stream: google.rpc.Status in `grpc-status-details-bin`, with ErrorInfo and RetryInfo in it. Pure. */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { DurationSchema, durationMs } from "@bufbuild/protobuf/wkt";

const MAX_RETRY_MS = 60_000;

/** Why a stream has ended, whether that is for good, and how long the server wants to be left alone. */
export type Ending = { cause: string; isFinal?: boolean; retryMillis?: number };

export function readEnding(text: string, details: Uint8Array | undefined): Ending {
  const ending: Ending = { cause: text };
  let isRefused = false;
  try {
    // No published package of these few messages goes with protobuf-es, so their fields are read by number.
    for (const any of fields(details, 3)) {
      const [type, value] = [fields(any, 1)[0], fields(any, 2)[0]];
      const name = Buffer.from(type ?? [])
        .toString()
        .split("/")
        .at(-1);
      if (name === "google.rpc.RetryInfo") {
        const millis = durationMs(fromBinary(DurationSchema, fields(value, 1)[0] ?? new Uint8Array()));
        ending.retryMillis = Math.min(Math.max(millis, 0), MAX_RETRY_MS);
      } else if (name === "google.rpc.ErrorInfo") {
        const [reason, domain] = [1, 2].map((number) => Buffer.from(fields(value, number)[0] ?? []).toString());
        if (domain !== "adsum") continue;
        ending.cause = `${reason}: ${text}`;
        isRefused = true;
      }
    }
    // The contract gives RetryInfo exactly where trying again helps, so reasons needn't be known.
    ending.isFinal = isRefused && ending.retryMillis === undefined;
  } catch {
    // Details that can't be read say nothing: a lost connection.
  }
  return ending;
}

/** Finds the fields with that number whose values are bytes, texts or messages. */
function fields(message: Uint8Array | undefined, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message ?? new Uint8Array());
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === wanted && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}
