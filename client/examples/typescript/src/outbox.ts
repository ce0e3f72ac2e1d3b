/**
 * The selects and sends without an answer, across streams and sessions. Pure.
 *
 * A lost connection leaves what wasn't said yet for the next stream. What was said is said again if the session is resumed, under
 * the same request id. In a new session it is only so with a select: the old session may have delivered a message.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Event } from "./events.js";
import type { PresenceRequestSchema } from "./stubs/adsum/v1/presence_pb.js";

const MAX_UNANSWERED = 1024;

export type Request = NonNullable<MessageInitShape<typeof PresenceRequestSchema>["request"]>;
/**
 * A send has an `id` of the application's own, a select has none. `isSaid` is about this stream, `mayHaveArrived` about any of the
 * session: a resume resets only the first, as another session may still come before it is said again.
 */
type Unanswered = { request: Request; id?: string; isSaid: boolean; mayHaveArrived: boolean };

export class Outbox {
  private readonly unanswered = new Map<bigint, Unanswered>();
  private lastRequestId = 0n;

  constructor(private readonly emit: (event: Event) => void) {}

  /** Each request id is greater than those before it, as the contract wants it of sends. */
  nextRequestId(): bigint {
    return ++this.lastRequestId;
  }

  /** Selects a member, or clears the selection with an empty key. Only the last wish counts. */
  select(publicKey: Uint8Array): void {
    for (const [requestId, { id }] of this.unanswered) if (id === undefined) this.unanswered.delete(requestId);
    const requestId = this.nextRequestId();
    const request: Request = { case: "select", value: { requestId, publicKey } };
    this.unanswered.set(requestId, { request, isSaid: false, mayHaveArrived: false });
  }

  /** Sends a message. Exactly one `sent` with this id follows. */
  send(id: string, recipient: Uint8Array, payload: Uint8Array): void {
    if (this.unanswered.size >= MAX_UNANSWERED) {
      return this.emit({ event: "sent", id, outcome: "rate_limited", revision: 0n });
    }
    const requestId = this.nextRequestId();
    const request: Request = { case: "send", value: { requestId, recipient, payload } };
    this.unanswered.set(requestId, { request, id, isSaid: false, mayHaveArrived: false });
  }

  /** Takes what is to be said now. */
  *take(): Generator<Request> {
    for (const unanswered of this.unanswered.values()) {
      if (!unanswered.isSaid) yield unanswered.request;
      unanswered.isSaid = unanswered.mayHaveArrived = true;
    }
  }

  beginSession(resumed: boolean): void {
    for (const [requestId, unanswered] of this.unanswered) {
      unanswered.isSaid = false;
      if (!resumed && unanswered.mayHaveArrived) this.sent(requestId, "unconfirmed");
    }
  }

  /** Takes note of the answer to a select, if this is one. */
  selected(requestId: bigint): void {
    if (this.unanswered.get(requestId)?.id === undefined) this.unanswered.delete(requestId);
  }

  /** Reports what became of a send, if this is one. */
  sent(requestId: bigint, outcome: string, revision = 0n): void {
    const id = this.unanswered.get(requestId)?.id;
    if (id === undefined) return;
    this.unanswered.delete(requestId);
    this.emit({ event: "sent", id, outcome, revision });
  }

  /** What has no answer gets none any more. */
  close(): void {
    for (const requestId of this.unanswered.keys()) this.sent(requestId, "unconfirmed");
  }
}
