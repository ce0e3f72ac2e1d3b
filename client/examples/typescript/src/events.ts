/** What a client reports, and how it is written: one JSON object a line, as docs/events.md promises. Pure. */
import { isMessage } from "@bufbuild/protobuf";
import { fingerprint } from "./identity.js";
import { Liveness, MemberSchema, Status, type Member } from "./stubs/adsum/v1/member_pb.js";

export type Phase = "connecting" | "live" | "stale" | "degraded" | "reconnecting" | "closed";

/** The fields have the names that they get in JSON; keys are bytes, 64-bit numbers bigint, and members as they came. */
export type Event =
  | { event: "snapshot"; schema: 1; revision: bigint; members: Member[] }
  | { event: "joined" | "suspect" | "back"; revision: bigint; member: Member }
  | { event: "updated"; revision: bigint; member: Member; before: Member }
  | { event: "left"; revision: bigint; member: Member; reason: string }
  | { event: "repaired"; revision: bigint; cause: string; joined: number; updated: number; left: number }
  | { event: "state"; phase: Phase; before: Phase; cause: string; retry_in_seconds: number | null }
  | { event: "selection"; revision: bigint; key: Uint8Array; state: string; reason: string; was: string | null }
  | {
      event: "message";
      delivery_id: bigint;
      sender_key: Uint8Array;
      sender_fingerprint: string;
      sender_name: string | null;
      text: string;
      sent_at: Date;
    }
  | { event: "sent"; id: string; outcome: string; revision: bigint }
  | { event: "refused"; request_id: bigint; reason: string; message: string };

/** Writes an event as a line, without its end. */
export function line(event: Event | { event: string }, lobby: string): string {
  const { event: kind, ...facts } = event;
  return encode({ event: kind, time: new Date(), lobby, ...facts });
}

/** Names a value of an enumeration in lower case; a number that isn't known here (a later server's) is read as `otherwise`. */
export function nameOf(names: Record<number, string>, value: number, otherwise: string): string {
  return value === 0 ? otherwise : (names[value]?.toLowerCase() ?? otherwise);
}

/** JSON in ASCII alone, safe on any terminal. JSON.stringify can't be used for the whole: it knows no 64-bit integers. */
function encode(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("hex")}"`;
  if (value instanceof Date) return `"${isoTime(value)}"`;
  if (isMessage(value, MemberSchema)) return encode(memberRecord(value));
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([name, field]) => `${encode(name)}:${encode(field)}`)
      .join(",")}}`;
  }
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escape);
}

function memberRecord(member: Member): object {
  const { seconds, nanos } = member.joinedAt ?? { seconds: 0n, nanos: 0 };
  return {
    key: member.publicKey,
    fingerprint: fingerprint(member.publicKey),
    name: member.profile?.name ?? "",
    status: nameOf(Status, member.profile?.status ?? 0, "available"),
    status_text: member.profile?.statusText ?? "",
    attributes: { ...member.profile?.attributes },
    liveness: member.liveness === Liveness.ONLINE ? "online" : "suspect",
    joined_at: new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6)),
    devices: member.sessionCount,
    incarnation: member.incarnation,
    revision: member.revision,
  };
}

/** A server's clock may say anything: what is no year of four digits is shown as the beginning of 1970. */
function isoTime(time: Date): string {
  const year = time.getUTCFullYear();
  return (year >= 1 && year <= 9999 ? time : new Date(0)).toISOString();
}
