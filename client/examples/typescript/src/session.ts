/**
 * One session in one lobby, across all its streams: handshake, heartbeats, resume, selection, sends and deliveries. Pure: `receive`
 * takes what the server says, `say` gets what is to be said, `emit` what is to be reported, and `now` is any clock in milliseconds.
 *
 *   offline --connect--> greeting --Challenge--> proving --Welcome--> welcomed     (a resume skips "proving")
 *
 * From each of them `lost` leads back to "offline". What no server may say throws a Violation, which must end the stream.
 */
import { create } from "@bufbuild/protobuf";
import { nameOf, type Event, type Phase } from "./events.js";
import { fingerprint, proofTranscript, type Identity } from "./identity.js";
import { Outbox, type Request } from "./outbox.js";
import { hex, Roster, Violation } from "./roster.js";
import type { Profile } from "./stubs/adsum/v1/member_pb.js";
import {
  PresenceRequestSchema,
  Reason,
  ResyncReason,
  SelectionReason,
  SelectionState,
  SendOutcome,
  type Challenge,
  type Delivery,
  type PresenceRequest,
  type PresenceResponse,
  type RequestError,
  type SelectionUpdate,
  type Welcome,
} from "./stubs/adsum/v1/presence_pb.js";

/** From dialling to Welcome. */
const CONNECT_MS = 5_000;
/** From Welcome or Resync to the last chunk. */
const SNAPSHOT_MS = 30_000;
/** The server waits for far fewer acknowledgements than are remembered here. */
const DELIVERIES_REMEMBERED = 1024;
const MAX_DRAIN_MS = 60_000;

export class Session {
  readonly roster: Roster;
  private readonly outbox: Outbox;
  phase: Phase = "connecting";
  private stage: "offline" | "greeting" | "proving" | "welcomed" = "offline";
  private sessionId = new Uint8Array();
  private token = new Uint8Array();
  private updateId = 0n;
  private readonly deliveries = new Set<bigint>();
  private selected: { key: string; state: string } | undefined;
  private isLeaving = false;
  // Of the stream of the moment:
  private nonce = new Uint8Array();
  private saidProfile: Profile;
  private isResuming = false;
  private isDegraded = false;
  private leaseMillis = 0;
  private heardAt = 0;
  private liveSince: number | undefined;
  /** Until when Welcome, or then the list, must have come. */
  private waitBy = Infinity;
  private moveAt = Infinity;

  constructor(
    private readonly purpose: { lobby: string; audience: string; identity: Identity; observer: boolean },
    private profile: Profile,
    private readonly emit: (event: Event) => void,
    private readonly say: (request: PresenceRequest) => void,
  ) {
    this.roster = new Roster(emit);
    this.outbox = new Outbox(emit);
    this.saidProfile = profile;
  }

  // The life of a stream, told by whoever holds it.

  /** Greets on a new stream, with 32 fresh random bytes. */
  connect(nonce: Uint8Array<ArrayBuffer>, now: number): void {
    const { lobby, audience, identity, observer } = this.purpose;
    const { isTrusted, epoch, revision, digest } = this.roster;
    this.stage = "greeting";
    [this.nonce, this.saidProfile, this.isDegraded, this.liveSince] = [nonce, this.profile, false, undefined];
    [this.waitBy, this.moveAt] = [now + CONNECT_MS, Infinity];
    this.roster.begin(false);
    this.isResuming = this.token.length > 0;
    // A list that isn't the server's can't be continued: naming none, the resume brings a snapshot.
    const held = isTrusted ? { epoch, revision, digest } : {};
    const resume = this.isResuming ? { resume: { sessionId: this.sessionId, token: this.token, ...held } } : {};
    const { publicKey } = identity;
    const hello = { lobby, publicKey, clientNonce: nonce, audience, profile: this.profile, observer, ...resume };
    this.tell({ case: "hello", value: hello });
  }

  /** The stream has ended. `retryMillis` is how long one waits before the next. */
  lost(cause: string, retryMillis: number): void {
    this.stage = "offline";
    this.roster.begin(false);
    this.become(this.roster.isComplete ? "reconnecting" : "connecting", cause, retryMillis ? retryMillis / 1000 : null);
  }

  /** Ends for good: what has no answer gets none any more. A `cause` means that it wasn't wanted. */
  close(cause?: string): void {
    this.stage = "offline";
    this.outbox.close();
    if (cause !== undefined) this.become("closed", cause);
  }

  /** When `overdue` is to be asked, if nothing is heard before. */
  get deadline(): number {
    const silentAt = this.stage === "welcomed" ? this.heardAt + this.leaseMillis : Infinity;
    return Math.min(this.waitBy, this.moveAt, silentAt);
  }

  /** Why the stream must be ended now, if it must. */
  overdue(now: number): string | undefined {
    if (now >= this.moveAt) return "the server is stopping";
    return now < this.deadline ? undefined : now >= this.waitBy ? "no answer in time" : "nothing heard for too long";
  }

  /** How long a stopping server still wants this client to wait. */
  drainMillis(now: number): number {
    return this.moveAt === Infinity ? 0 : Math.max(0, this.moveAt - now);
  }

  /** How long the stream of the moment has had a list; 0 if it has none. */
  liveMillis(now: number): number {
    return this.liveSince === undefined ? 0 : now - this.liveSince;
  }

  // What the application wants. Whatever can't be said now is said as soon as it can.

  update(profile: Profile): void {
    this.profile = profile;
    if (this.stage !== "welcomed") return;
    this.updateId = this.outbox.nextRequestId();
    this.tell({ case: "updateProfile", value: { requestId: this.updateId, profile } });
  }

  /** Selects a member, or clears the selection with an empty key. */
  select(publicKey: Uint8Array): void {
    this.outbox.select(publicKey);
    this.sayWhatWaits();
  }

  /** Sends a message. Exactly one `sent` with this id follows. */
  send(id: string, recipient: Uint8Array, payload: Uint8Array): void {
    this.outbox.send(id, recipient, payload);
    this.sayWhatWaits();
  }

  leave(): void {
    this.isLeaving = true;
    if (this.stage === "welcomed") this.tell({ case: "leave", value: {} });
  }

  // What the server says.

  receive({ response }: PresenceResponse, now: number): void {
    this.heardAt = now;
    const wasAwaiting = this.roster.isAwaiting;
    const isEarly = ["challenge", "welcome", "draining", "requestError", undefined].includes(response.case);
    if (this.stage !== "welcomed" && !isEarly) throw new Violation(`the server sent ${response.case} before welcome`);
    this.handle(response, now);
    if (this.stage === "welcomed") this.settle(wasAwaiting, now);
  }

  private handle({ case: kind, value }: PresenceResponse["response"], now: number): void {
    switch (kind) {
      case "challenge":
        return this.prove(value);
      case "welcome":
        return this.welcome(value);
      case "snapshot":
        return this.resync(this.roster.snapshot(value));
      case "delta":
        return this.resync(this.roster.delta(value));
      case "selectionUpdate":
        return this.selectionUpdate(value);
      case "delivery":
        return this.deliver(value);
      case "sendResult":
        return this.outbox.sent(value.requestId, nameOf(SendOutcome, value.outcome, "unconfirmed"), value.revision);
      case "requestError":
        return this.refused(value);
      case "heartbeat":
        this.isDegraded = value.degraded;
        this.resync(this.roster.heartbeat(value));
        return this.beat(value.nonce);
      case "draining":
        this.moveAt = now + Math.min(value.reconnectDelayMillis, MAX_DRAIN_MS);
        return;
      default: // A later server may say more.
    }
  }

  private prove({ serverNonce, expiresAtUnixMillis }: Challenge): void {
    if (this.stage !== "greeting" || serverNonce.length !== 32)
      throw new Violation("the server sent no proper challenge");
    const { lobby, audience, identity } = this.purpose;
    const { publicKey } = identity;
    const facts = { audience, serverNonce, clientNonce: this.nonce, publicKey, lobby, expiresAtUnixMillis };
    this.stage = "proving";
    this.tell({ case: "proof", value: { signature: identity.sign(proofTranscript(facts)) } });
  }

  private welcome({ sessionId, resumeToken, resumed, leaseMillis }: Welcome): void {
    const isSame = this.isResuming && hex(sessionId) === hex(this.sessionId);
    const isProper = (this.stage === "greeting" || this.stage === "proving") && (isSame || !resumed);
    if (!isProper || sessionId.length + resumeToken.length > 1024)
      throw new Violation("the server sent no proper welcome");
    this.stage = "welcomed";
    this.waitBy = Infinity;
    this.leaseMillis = Math.min(Math.max(leaseMillis || 12_000, 10), 3_600_000);
    [this.sessionId, this.token] = [sessionId.slice(), resumeToken.slice()];
    if (!resumed) {
      this.deliveries.clear();
      if (this.selected) this.choose(this.selected.key, "cleared", "session_lost", this.roster.revision);
    }
    this.outbox.beginSession(resumed);
    if (this.saidProfile !== this.profile) this.update(this.profile);
    this.roster.begin(resumed && this.roster.isTrusted);
    if (this.isLeaving) this.leave();
  }

  /** Sees what follows from the state of the list. */
  private settle(wasAwaiting: boolean, now: number): void {
    const { isAwaiting } = this.roster;
    this.waitBy = isAwaiting ? Math.min(this.waitBy, now + SNAPSHOT_MS) : Infinity;
    if (wasAwaiting && !isAwaiting) this.beat(0n);
    if (!isAwaiting) this.liveSince ??= now;
    if (this.liveSince === undefined) return;
    if (isAwaiting) this.become("stale", "the list is fetched again");
    else if (this.isDegraded) this.become("degraded", "the server has trouble");
    else this.become("live");
    this.sayWhatWaits();
  }

  private selectionUpdate({ requestId, publicKey, state: newState, reason: why, revision }: SelectionUpdate): void {
    if (publicKey.length !== 0 && publicKey.length !== 32)
      throw new Violation("the server sent a selection that is no key");
    this.outbox.selected(requestId);
    const state = nameOf(SelectionState, newState, "unavailable");
    const key = hex(publicKey) || (this.selected?.key ?? "");
    // The farewell of an earlier selection says nothing about the one of now.
    if (!requestId && state === "cleared" && key !== this.selected?.key) return;
    this.choose(key, state, nameOf(SelectionReason, why, "none"), revision);
  }

  private choose(key: string, state: string, reason: string, revision: bigint): void {
    const was = this.selected?.state ?? null;
    this.selected = state === "cleared" || reason === "not_present" ? undefined : { key, state };
    this.emit({ event: "selection", revision, key: Buffer.from(key, "hex"), state, reason, was });
  }

  private deliver({ deliveryId, sender, payload, sentAtUnixMillis }: Delivery): void {
    if (sender.length !== 32) throw new Violation("the server sent a message from nobody");
    if (!this.deliveries.has(deliveryId)) {
      this.deliveries.add(deliveryId);
      // A Set remembers the order: the first is the oldest.
      if (this.deliveries.size > DELIVERIES_REMEMBERED) this.deliveries.delete(this.deliveries.values().next().value!);
      const name = this.roster.members.get(hex(sender))?.profile?.name ?? null;
      const from = { sender_key: sender, sender_fingerprint: fingerprint(sender), sender_name: name };
      const text = Buffer.from(payload).toString("utf8");
      this.emit({
        event: "message",
        delivery_id: deliveryId,
        ...from,
        text,
        sent_at: new Date(Number(sentAtUnixMillis)),
      });
    }
    this.tell({ case: "ack", value: { deliveryId } });
  }

  private refused({ requestId, reason, message }: RequestError): void {
    // A profile that was refused must not be said again in the next Hello, which would end with that.
    const me = this.roster.members.get(hex(this.purpose.identity.publicKey));
    if (requestId && requestId === this.updateId) this.profile = me?.profile ?? this.saidProfile;
    this.emit({ event: "refused", request_id: requestId, reason: nameOf(Reason, reason, "unspecified"), message });
    this.outbox.selected(requestId);
    this.outbox.sent(requestId, "unconfirmed");
  }

  private resync(reason: ResyncReason | undefined): void {
    if (reason !== undefined) this.tell({ case: "resync", value: { reason } });
  }

  private beat(echo: bigint): void {
    const { epoch, revision, digest } = this.roster;
    this.tell({ case: "heartbeat", value: { epoch, revision, digest, echo } });
  }

  /** Selects and sends wait for the list, so that no outcome speaks of one that the application hasn't seen. */
  private sayWhatWaits(): void {
    if (this.stage !== "welcomed" || this.roster.isAwaiting) return;
    for (const request of this.outbox.take()) this.tell(request);
  }

  private become(phase: Phase, cause = "", retry: number | null = null): void {
    const before = this.phase;
    this.phase = phase;
    if (phase === "connecting" || (phase === before && retry === null)) return;
    this.emit({ event: "state", phase, before, cause, retry_in_seconds: retry });
  }

  private tell(request: Request): void {
    this.say(create(PresenceRequestSchema, { request }));
  }
}
