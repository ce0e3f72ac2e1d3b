/** Keeps a session connected: channel, stream, timers, and another attempt after each loss. What to do is the session's to decide. */
import { randomBytes } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  Client as Channel,
  credentials,
  type ChannelCredentials,
  type ClientDuplexStream,
  type StatusObject,
} from "@grpc/grpc-js";
import type { Event } from "./events.js";
import { parseTarget, type Identity } from "./identity.js";
import { Session } from "./session.js";
import { readEnding, type Ending } from "./status.js";
import type { Profile } from "./stubs/adsum/v1/member_pb.js";
import { LobbyService, PresenceRequestSchema, PresenceResponseSchema } from "./stubs/adsum/v1/presence_pb.js";
import type { PresenceRequest, PresenceResponse } from "./stubs/adsum/v1/presence_pb.js";

const PATH = `/${LobbyService.typeName}/${LobbyService.method.presence.name}`;
const OPTIONS = {
  // Channels to one address would share a connection, and a dead one would be inherited by the next attempt.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  // A second line: the heartbeats are the authority on whether the server lives.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
};
const FIRST_BACKOFF_MS = 200;
const LAST_BACKOFF_MS = 10_000;
/** How long a connection must have lived for its loss to be answered at once: a server that drops everybody isn't stormed. */
const STABLE_MS = 2_000;
const LEAVE_MS = 2_000;
/** How many requests may wait for a server that doesn't read. */
const MAX_UNREAD = 4096;

export class Client {
  readonly session: Session;
  private readonly address: string;
  private call: ClientDuplexStream<PresenceRequest, PresenceResponse> | undefined;
  private isLeaving = false;
  /** Ends the attempt, or the pause before it, that is under way. */
  private finish: (ending: Ending) => void = () => {};

  constructor(
    target: string,
    purpose: { lobby: string; identity: Identity; observer: boolean },
    profile: Profile,
    emit: (event: Event) => void,
    private readonly security: ChannelCredentials = credentials.createInsecure(),
  ) {
    const { host, port } = parseTarget(target);
    if (!port) throw new RangeError(`${JSON.stringify(target)} has no port`);
    this.address = `dns:///${host.includes(":") ? `[${host}]` : host}:${port}`;
    this.session = new Session({ ...purpose, audience: host }, profile, emit, (request) => this.write(request));
  }

  /** Stays connected until `leave`, or until the server refuses for good: then it returns false. */
  async run(): Promise<boolean> {
    for (let ceiling = 0; ; ceiling = Math.min(Math.max(2 * ceiling, FIRST_BACKOFF_MS), LAST_BACKOFF_MS)) {
      const ending = await this.attempt();
      const now = performance.now();
      if (this.isLeaving || ending.isFinal) {
        this.session.close(this.isLeaving ? undefined : ending.cause);
        return this.isLeaving;
      }
      const liveMillis = this.session.liveMillis(now);
      if (liveMillis >= STABLE_MS) ceiling = 0;
      else if (!liveMillis) ceiling = Math.max(ceiling, FIRST_BACKOFF_MS);
      const delay = Math.max(ending.retryMillis ?? 0, this.session.drainMillis(now)) + Math.random() * ceiling;
      console.error(`connection lost (${ending.cause}), next attempt in ${(delay / 1000).toFixed(1)} s`);
      this.session.lost(ending.cause, delay);
      if (delay) await this.pause(delay);
      if (this.isLeaving) {
        this.session.close();
        return true;
      }
    }
  }

  /** Says Leave, if there is anybody to say it to, and lets `run` end. */
  leave(): void {
    this.isLeaving = true;
    this.session.leave();
    const finish = () => this.finish({ cause: "left" });
    if (this.call) setTimeout(finish, LEAVE_MS);
    else finish();
  }

  /** Holds one stream on a channel of its own, from dialling to its end. */
  private attempt(): Promise<Ending> {
    return new Promise((resolve) => {
      const channel = new Channel(this.address, this.security, OPTIONS);
      const call = channel.makeBidiStreamRequest<PresenceRequest, PresenceResponse>(
        PATH,
        (request) => Buffer.from(toBinary(PresenceRequestSchema, request)),
        (bytes) => fromBinary(PresenceResponseSchema, bytes, { readUnknownFields: false }),
      );
      let timer: NodeJS.Timeout | undefined;
      const finish = (ending: Ending) => {
        if (this.call !== call) return;
        this.call = undefined;
        clearTimeout(timer);
        call.cancel();
        channel.close();
        resolve(ending);
      };
      const watch = () => {
        clearTimeout(timer);
        // A process that was itself stopped for a while first reads what has come meanwhile: hence setImmediate.
        timer = setTimeout(() => setImmediate(check), Math.max(0, this.session.deadline - performance.now()));
      };
      const check = () => {
        if (this.call !== call) return;
        const cause = this.session.overdue(performance.now());
        if (cause === undefined) watch();
        else finish({ cause });
      };
      call.on("data", (response: PresenceResponse) => {
        if (this.call !== call) return;
        try {
          this.session.receive(response, performance.now());
          watch();
        } catch (error) {
          // Nothing that a server says may end more than its stream.
          finish({ cause: error instanceof Error ? error.message : String(error) });
        }
      });
      // Comes before the status, and tells less.
      call.on("error", () => {});
      call.on("status", ({ code, details, metadata }: StatusObject) => {
        const [bytes] = metadata.get("grpc-status-details-bin");
        finish(
          readEnding(
            details || `the server ended the stream with status ${code}`,
            typeof bytes === "string" ? undefined : bytes,
          ),
        );
      });
      [this.call, this.finish] = [call, finish];
      this.session.connect(new Uint8Array(randomBytes(32)), performance.now());
      watch();
    });
  }

  private pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.finish = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private write(request: PresenceRequest): void {
    this.call?.write(request);
    if (this.call && this.call.writableLength > MAX_UNREAD) this.finish({ cause: "the server doesn't read" });
  }
}
