/** Runs the vectors in protos/vectors: each case gives one line of JSON. Their README tells how. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { create, fromJson, toJson, type JsonValue } from "@bufbuild/protobuf";
import type { Event } from "./events.js";
import { fingerprint, Identity, parseTarget, proofTranscript } from "./identity.js";
import { hex, memberDigest, u64 } from "./roster.js";
import { Session } from "./session.js";
import { Liveness, ProfileSchema } from "./stubs/adsum/v1/member_pb.js";
import { PresenceRequestSchema, PresenceResponseSchema, type PresenceRequest } from "./stubs/adsum/v1/presence_pb.js";

type Texts = Record<string, string>;
type Json = Record<string, unknown>;
type Step = {
  connect?: boolean;
  disconnect?: boolean;
  select?: string;
  receive?: JsonValue;
  holds: (Json & { isStale?: boolean }) | null;
  send: Json[];
  events: Texts[];
};
type Rosters = {
  lobby: string;
  audience: string;
  me: { name: string; seed: string };
  cases: { name: string; observer: boolean; steps: Step[] }[];
};

const bytes = (digits: string | undefined): Buffer => Buffer.from(digits ?? "", "hex");
const base64 = (key: Uint8Array): string => Buffer.from(key).toString("base64");

export function runVectors(folder: string): void {
  const read = (file: string) => JSON.parse(readFileSync(join(folder, `${file}.json`), "ascii"));
  for (const proof of read("signing").proofs) report("signing", proof.name, () => checkProof(proof));
  const { members, sums } = read("digest");
  for (const member of members) {
    report("digest", member.name, () => expect("digest", digestOf(member).toString(), member.digest));
  }
  for (const sum of sums) report("digest", sum.name, () => checkSum(members, sum));
  for (const { dialled, audience } of read("audience").cases) {
    report("audience", dialled, () => expect("audience", audienceOf(dialled), audience));
  }
  const rosters: Rosters = read("roster");
  for (const { name, observer, steps } of rosters.cases) {
    report("roster", name, () => new Player(rosters, observer).play(steps));
  }
}

function report(file: string, name: string, check: () => void): void {
  let why: string | undefined;
  try {
    check();
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  const text = JSON.stringify({ file, case: name, ok: why === undefined, why });
  console.log(text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`));
}

function expect(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function checkProof(proof: Texts): void {
  const identity = new Identity(bytes(proof.seed));
  expect("public_key", hex(identity.publicKey), proof.public_key);
  expect("fingerprint", fingerprint(identity.publicKey), proof.fingerprint);
  const transcript = proofTranscript({
    audience: proof.audience!,
    serverNonce: bytes(proof.server_nonce),
    clientNonce: bytes(proof.client_nonce),
    publicKey: identity.publicKey,
    lobby: proof.lobby!,
    expiresAtUnixMillis: BigInt(proof.expires_at_unix_millis!),
  });
  expect("transcript", hex(transcript), proof.transcript);
  expect("signature", hex(identity.sign(transcript)), proof.signature);
}

function digestOf(member: Texts): bigint {
  const [incarnation, revision] = [BigInt(member.incarnation!), BigInt(member.revision!)];
  return memberDigest({ publicKey: bytes(member.public_key), incarnation, revision });
}

function checkSum(members: Texts[], sum: { steps: string[]; digests: string[] }): void {
  const digests = [0n];
  for (const step of sum.steps) {
    const digest = digestOf(members[Number(step.slice(1))]!);
    digests.push(u64(digests.at(-1)! + (step.startsWith("+") ? digest : -digest)));
  }
  expect("digests", digests.map(String), sum.digests);
}

function audienceOf(dialled: string): string {
  try {
    return parseTarget(dialled).host;
  } catch {
    return "";
  }
}

/** Leads a session through a transcript, as its stream would. */
class Player {
  private readonly session: Session;
  private sent: PresenceRequest[] = [];
  private events: Event[] = [];
  private isConnected = false;
  private isWelcome = false;

  constructor({ lobby, audience, me }: Rosters, observer: boolean) {
    this.session = new Session(
      { lobby, audience, identity: new Identity(bytes(me.seed)), observer },
      create(ProfileSchema, { name: me.name }),
      (event) => this.events.push(event),
      (request) => this.sent.push(request),
    );
  }

  play(steps: Step[]): void {
    steps.forEach((step, index) => {
      [this.sent, this.events] = [[], []];
      this.perform(step, index);
      expect(`step ${index}: holds`, this.held(step), step.holds);
      expect(`step ${index}: send`, this.requests(step), sorted(step.send));
      expect(`step ${index}: events`, byMember(this.reported(step)), byMember(step.events));
    });
  }

  private perform(step: Step, now: number): void {
    if (step.connect) {
      this.isConnected = true;
      this.session.connect(new Uint8Array(32).fill(now), now);
    } else if (step.disconnect) {
      this.isConnected = this.isWelcome = false;
      this.session.lost("the transcript says so", 0);
    } else if (step.select !== undefined) {
      this.session.select(Buffer.from(step.select, "base64"));
    } else {
      const response = fromJson(PresenceResponseSchema, step.receive!);
      this.isWelcome ||= response.response.case === "welcome";
      this.session.receive(response, now);
    }
  }

  private held(step: Step): Json | null {
    const { isComplete, isAwaiting, epoch, revision, digest, members } = this.session.roster;
    if (!isComplete) return null;
    const shown = [...members.values()].map((member) => ({
      publicKey: base64(member.publicKey),
      incarnation: `${member.incarnation}`,
      revision: `${member.revision}`,
      liveness: `LIVENESS_${Liveness[member.liveness]}`,
      name: member.profile?.name,
    }));
    const held = { epoch: `${epoch}`, revision: `${revision}`, digest: `${digest}`, members: sorted(shown) };
    const isStale = !this.isConnected || !this.isWelcome || isAwaiting;
    return step.holds?.isStale === undefined ? held : { ...held, isStale };
  }

  /** Leaves out what a client chooses, and heartbeats about what is held beyond those listed. */
  private requests(step: Step): Json[] {
    const listed = step.send.filter((request) => "heartbeat" in request);
    const shown = this.sent.map((request) => {
      const json = toJson(PresenceRequestSchema, request) as Record<string, Json>;
      for (const field of ["clientNonce", "profile"]) delete json.hello?.[field];
      delete json.proof?.signature;
      delete json.select?.requestId;
      return json;
    });
    const { epoch, revision, digest } = this.session.roster;
    const beat = toJson(
      PresenceRequestSchema,
      create(PresenceRequestSchema, {
        request: { case: "heartbeat", value: { epoch, revision, digest } },
      }),
    );
    const isListed = (request: Json) => listed.some((other) => isDeepStrictEqual(request, other));
    return sorted(shown.filter((request) => !isDeepStrictEqual(request, beat) || isListed(request)));
  }

  private reported(step: Step): Texts[] {
    return this.events.flatMap((event): Texts[] => {
      switch (event.event) {
        case "snapshot":
          return [{ kind: event.event }];
        case "joined":
        case "suspect":
        case "back":
        case "updated":
          return [{ kind: event.event, publicKey: base64(event.member.publicKey) }];
        case "left": {
          const left = { kind: event.event, publicKey: base64(event.member.publicKey) };
          const isTold = step.events.some(
            ({ kind, publicKey, reason }) => reason && kind === "left" && publicKey === left.publicKey,
          );
          return [isTold ? { ...left, reason: `DEPARTURE_REASON_${event.reason.toUpperCase()}` } : left];
        }
        case "selection": {
          const shown = {
            kind: event.event,
            publicKey: base64(event.key),
            state: `SELECTION_STATE_${event.state.toUpperCase()}`,
          };
          return [
            event.reason === "none" ? shown : { ...shown, reason: `SELECTION_REASON_${event.reason.toUpperCase()}` },
          ];
        }
        case "message":
          return [{ kind: event.event, publicKey: base64(event.sender_key), deliveryId: `${event.delivery_id}` }];
        default: // What else is reported is the client's own affair.
          return [];
      }
    });
  }
}

/** In a fixed order, as text: neither the order of requests nor that of members counts. */
function sorted<T>(values: T[]): T[] {
  return values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** The order of events counts for each member, and not between them. */
function byMember(events: Texts[]): Record<string, Texts[]> {
  const grouped: Record<string, Texts[]> = {};
  for (const event of events) (grouped[event.publicKey ?? ""] ??= []).push(event);
  return grouped;
}
