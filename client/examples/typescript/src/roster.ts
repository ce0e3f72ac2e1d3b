/**
 * The copy of the lobby, and the rules by which it follows the server's: those beside Snapshot and Delta in member.proto. Pure.
 *
 * What describes the list goes in, events come out through `emit`, and each method returns why a Resync must be sent, if one
 * must. What no server may say throws a Violation before anything has changed: the stream is then ended.
 */
import { createHash } from "node:crypto";
import { create, equals } from "@bufbuild/protobuf";
import { nameOf, type Event } from "./events.js";
import {
  DepartureReason,
  Liveness,
  ProfileSchema,
  type Delta,
  type Member,
  type Snapshot,
} from "./stubs/adsum/v1/member_pb.js";
import { ResyncReason, type ServerHeartbeat } from "./stubs/adsum/v1/presence_pb.js";

/** The largest lobby that is held. */
const MAX_MEMBERS = 100_000;
/** The longest profile that is believed, in characters: the contract allows less than 1,500. */
const MAX_PROFILE = 4096;
/** After so many snapshots in a row that contradict their own digest the server is given up: it would go on for ever. */
const MAX_BAD_SNAPSHOTS = 3;

export class Violation extends Error {}

export class Roster {
  /** By public key, as hex: a Uint8Array is compared by identity and can't be a key of a Map. */
  members = new Map<string, Member>();
  epoch = 0n;
  revision = 0n;
  /** Computed over `members`, never taken from the server. */
  digest = 0n;
  /** There has been a first list. */
  isComplete = false;
  /** A snapshot is promised, asked for or begun: until its last chunk, deltas are dropped and heartbeats not compared. */
  isAwaiting = true;
  private cause: ResyncReason | undefined;
  private chunks: { head: Snapshot; members: Map<string, Member>; next: number } | undefined;
  private badSnapshots = 0;

  constructor(private readonly emit: (event: Event) => void) {}

  /** Whether this is a list that the server once confirmed, so that a resume can go on from it. */
  get isTrusted(): boolean {
    return this.isComplete && this.cause !== ResyncReason.DIGEST;
  }

  /** Starts on another stream. `continues`: deltas go on from the list held; otherwise a snapshot comes. */
  begin(continues: boolean): void {
    this.isAwaiting = !continues;
    this.chunks = undefined;
    this.badSnapshots = 0;
    if (continues) this.cause = undefined;
  }

  /** Collects a chunk; the last one replaces the list, and what that changes is told as ordinary events. */
  snapshot(chunk: Snapshot): ResyncReason | undefined {
    if (chunk.chunkIndex === 0) {
      this.chunks = { head: chunk, members: new Map(), next: 0 };
      this.isAwaiting = true;
    }
    const { head, members, next } = this.chunks ?? { head: chunk, members: new Map<string, Member>(), next: -1 };
    const fields = ["epoch", "revision", "digest", "count", "chunkCount"] as const;
    const isSame = fields.every((field) => chunk[field] === head[field]);
    if (chunk.chunkIndex !== next || !isSame || chunk.last !== (next === chunk.chunkCount - 1)) {
      throw new Violation(`the server sent chunk ${chunk.chunkIndex} of ${chunk.chunkCount} out of order`);
    }
    // Fewer chunks than members: nobody can keep us collecting for ever.
    if (head.count > MAX_MEMBERS || head.chunkCount > Math.max(1, head.count)) {
      throw new Violation(`the server sent a list of ${head.count} members in ${head.chunkCount} chunks`);
    }
    for (const member of chunk.members) members.set(checkedKey(member), member);
    if (members.size > head.count) throw new Violation("the server sent more members than it counted");
    this.chunks!.next += 1;
    if (!chunk.last) return undefined;

    this.chunks = undefined;
    const digest = u64([...members.values()].reduce((sum, member) => sum + memberDigest(member), 0n));
    if (digest !== head.digest || members.size !== head.count) {
      if (++this.badSnapshots >= MAX_BAD_SNAPSHOTS)
        throw new Violation("the server's snapshots contradict their own digest");
      return this.doubt(ResyncReason.DIGEST);
    }
    this.adopt(head, members);
    return undefined;
  }

  private adopt({ epoch, revision, digest }: Snapshot, members: Map<string, Member>): void {
    const [old, isFirst, isSameEpoch, cause] = [this.members, !this.isComplete, this.epoch === epoch, this.cause];
    [this.members, this.epoch, this.revision, this.digest] = [members, epoch, revision, digest];
    [this.isComplete, this.isAwaiting] = [true, false];
    [this.cause, this.badSnapshots] = [undefined, 0];
    if (isFirst) return this.emit({ event: "snapshot", schema: 1, revision, members: [...members.values()] });

    const gone = [...old].filter(([key]) => !members.has(key));
    const stayed = [...members].flatMap(([key, member]) => [...changes(old.get(key), member, isSameEpoch)]);
    const events: Change[] = [
      ...gone.map(([, member]) => ({ event: "left" as const, revision, member, reason: "left" })),
      ...stayed.sort(byRevision),
    ];
    events.forEach(this.emit);
    const those = (...kinds: string[]) =>
      events.filter(({ event }) => kinds.includes(event)).map(({ member }) => member);
    const counts = { joined: those("joined").length, left: those("left").length };
    const updated = new Set(those("updated", "suspect", "back")).size;
    const why = cause === ResyncReason.DIGEST ? "digest" : isSameEpoch ? "gap" : "epoch";
    this.emit({ event: "repaired", revision, cause: why, ...counts, updated });
  }

  /** Applies a delta, in the order that the contract tells. */
  delta(delta: Delta): ResyncReason | undefined {
    if (this.isAwaiting) return undefined;
    if (delta.epoch !== this.epoch) return this.doubt(ResyncReason.EPOCH);
    if (delta.revision <= this.revision) return undefined;
    if (delta.baseRevision !== this.revision) return this.doubt(ResyncReason.GAP);
    if (delta.count > MAX_MEMBERS) throw new Violation(`the server sent a lobby of ${delta.count} members`);
    const records = [...delta.joined, ...delta.updated].map((member) => [checkedKey(member), member] as const);
    const departures = delta.left.map((departure) => [checkedKey(departure), departure] as const);

    const events: Change[] = [];
    let sum = this.digest;
    for (const [key, member] of records) {
      const before = this.members.get(key);
      events.push(...changes(before, member, true));
      sum += memberDigest(member) - (before ? memberDigest(before) : 0n);
      this.members.set(key, member);
    }
    for (const [key, { revision, reason }] of departures) {
      const member = this.members.get(key);
      if (!member) continue;
      events.push({ event: "left", revision, member, reason: nameOf(DepartureReason, reason, "left") });
      sum -= memberDigest(member);
      this.members.delete(key);
    }
    this.digest = u64(sum);
    this.revision = delta.revision;
    // One change for each member, told in the order in which they happened.
    events.sort(byRevision).forEach(this.emit);
    return this.compare(delta);
  }

  /** Compares what the server says one should hold with what is held. */
  heartbeat(beat: ServerHeartbeat): ResyncReason | undefined {
    if (this.isAwaiting) return undefined;
    if (beat.epoch !== this.epoch) return this.doubt(ResyncReason.EPOCH);
    if (beat.revision !== this.revision) return this.doubt(ResyncReason.GAP);
    return this.compare(beat);
  }

  private compare({ digest, count }: { digest: bigint; count: number }): ResyncReason | undefined {
    return digest === this.digest && count === this.members.size ? undefined : this.doubt(ResyncReason.DIGEST);
  }

  private doubt(reason: ResyncReason): ResyncReason {
    this.isAwaiting = true;
    return (this.cause = reason);
  }
}

type Change = Extract<Event, { member: Member }>;
const byRevision = (a: Change, b: Change): number => Number(a.revision - b.revision);

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Wraps a sum around at 2^64, below zero too. */
export const u64 = (sum: bigint): bigint => BigInt.asUintN(64, sum);

/** What a member adds to the digest: see Delta.digest. */
export function memberDigest({
  publicKey,
  incarnation,
  revision,
}: Pick<Member, "publicKey" | "incarnation" | "revision">): bigint {
  const bytes = Buffer.alloc(7 + 4 + publicKey.length + 8 + 8);
  let end = bytes.write("adsum/1");
  end = bytes.writeUInt32BE(publicKey.length, end);
  bytes.set(publicKey, end);
  end = bytes.writeBigUInt64BE(incarnation, end + publicKey.length);
  bytes.writeBigUInt64BE(revision, end);
  return createHash("sha256").update(bytes).digest().readBigUInt64BE();
}

/** A liveness that isn't known here can't be relied on. */
export const isOnline = (member: Member): boolean => member.liveness === Liveness.ONLINE;

/** Tells one member's change. Across epochs incarnations don't compare, and the same key is the same member. */
function* changes(before: Member | undefined, member: Member, isSameEpoch: boolean): Generator<Change> {
  const { revision } = member;
  if (before && isSameEpoch && before.incarnation !== member.incarnation) {
    // It left and came back. Nobody says any more why it left.
    yield { event: "left", revision, member: before, reason: "left" };
    before = undefined;
  }
  if (!before) return yield { event: "joined", revision, member };
  if (isOnline(before) !== isOnline(member)) yield { event: isOnline(member) ? "back" : "suspect", revision, member };
  const [old, now] = [before, member].map(({ profile }) => profile ?? create(ProfileSchema));
  if (before.sessionCount !== member.sessionCount || !equals(ProfileSchema, old!, now!)) {
    yield { event: "updated", revision, member, before };
  }
}

/** Checks what the types of a record can't say, and returns its key as hex. */
function checkedKey(record: { publicKey: Uint8Array; profile?: Member["profile"] }): string {
  if (record.publicKey.length !== 32) throw new Violation(`the server sent a key of ${record.publicKey.length} bytes`);
  const { name = "", statusText = "", attributes = {} } = record.profile ?? {};
  if (name.length + statusText.length + Object.entries(attributes).join().length > MAX_PROFILE) {
    throw new Violation("the server sent a profile of absurd size");
  }
  // What was parsed is a view of the whole message, and would keep all of it in memory.
  record.publicKey = record.publicKey.slice();
  return hex(record.publicKey);
}
