package io.adsum.example;

import com.google.protobuf.ByteString;
import io.adsum.v1.Challenge;
import io.adsum.v1.Delivery;
import io.adsum.v1.Hello;
import io.adsum.v1.Leave;
import io.adsum.v1.Member;
import io.adsum.v1.PresenceRequest;
import io.adsum.v1.PresenceResponse;
import io.adsum.v1.Profile;
import io.adsum.v1.Reason;
import io.adsum.v1.RequestError;
import io.adsum.v1.Resume;
import io.adsum.v1.ResyncReason;
import io.adsum.v1.SendOutcome;
import io.adsum.v1.SendResult;
import io.adsum.v1.ServerHeartbeat;
import io.adsum.v1.Welcome;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * One client's session, over many streams: handshake, resume, heartbeats, messages. Pure: responses go in, requests
 * and events come out, time is an argument (milliseconds of any clock that doesn't go back). Not thread-safe.
 *
 * A stream starts with `hello`, lives by `receive` and `tick` (either may throw StreamEnd), and is over with `lost`.
 */
final class Session {
    private enum Stage { OFFLINE, HELLO, PROOF, WELCOMED, LEAVING }

    private static final long NEVER = Long.MAX_VALUE;
    private static final long WELCOME_MILLIS = 5_000;
    private static final long LIST_MILLIS = 30_000;
    private static final long STALLED_MILLIS = 1_000;
    private static final long LONGEST_DRAIN_MILLIS = 60_000;
    private static final int MAX_DELIVERIES = 1024;
    private static final int MAX_TOKEN_BYTES = 64;

    final Roster roster;
    private final Identity identity;
    private final String lobby, audience;
    private final boolean isObserver;
    private final Consumer<PresenceRequest> requests;
    private final Consumer<Event> events;
    private final Asks asks = new Asks();
    private final Selection selection;
    private final Set<Long> deliveries = new LinkedHashSet<>();
    private Profile profile;
    private long updateId;
    private ByteString sessionId = ByteString.EMPTY, token = ByteString.EMPTY;
    private String phase = "connecting";
    // Of the stream of the moment.
    private Stage stage = Stage.OFFLINE;
    private Hello hello;
    private boolean isListed, isDegraded;
    private long heardAt, tickedAt, listedAt = NEVER, welcomeBy, listBy, moveAt = NEVER;
    private long leaseMillis, heartbeatMillis, maxPayloadBytes;

    Session(Identity identity, String lobby, String audience, boolean isObserver, Profile profile,
            Consumer<PresenceRequest> requests, Consumer<Event> events) {
        this.identity = identity;
        this.lobby = lobby;
        this.audience = audience;
        this.isObserver = isObserver;
        this.profile = profile;
        this.requests = requests;
        this.events = events;
        roster = new Roster(events);
        selection = new Selection(roster, events);
    }

    /** True unless the list is known, on a living connection, to be the server's. */
    boolean isStale() { return !phase.equals("live") && !phase.equals("degraded"); }

    /** How long the stream of the moment has had a complete list; negative if it never had. */
    long liveMillis(long now) { return listedAt == NEVER ? -1 : now - listedAt; }

    /** How long a draining server still wants us to wait before we come back. */
    long drainMillis(long now) { return moveAt == NEVER ? 0 : Math.max(0, moveAt - now); }

    // The life of a stream.

    /** Starts on a new stream, with 32 fresh random bytes: says Hello, and what to resume if there is something. */
    void hello(ByteString nonce, long now) {
        Hello.Builder builder = Hello.newBuilder().setLobby(lobby).setPublicKey(identity.publicKey).setClientNonce(nonce)
            .setAudience(audience).setProfile(profile).setObserver(isObserver);
        if (!sessionId.isEmpty() && !isObserver) {
            Resume.Builder resume = builder.getResumeBuilder().setSessionId(sessionId).setToken(token);
            if (roster.isTrusted()) {
                resume.setEpoch(roster.epoch()).setRevision(roster.revision()).setDigest(roster.digest());
            }
        }
        hello = builder.build();
        stage = Stage.HELLO;
        isListed = isDegraded = false;
        heardAt = tickedAt = now;
        welcomeBy = now + WELCOME_MILLIS;
        listedAt = listBy = moveAt = NEVER;
        say(request -> request.setHello(hello));
    }

    void receive(PresenceResponse response, long now) throws StreamEnd {
        heardAt = now;
        if (stage == Stage.LEAVING && !response.hasSendResult()) {
            return;
        }
        switch (response.getResponseCase()) {
            case CHALLENGE -> prove(response.getChallenge());
            case WELCOME -> welcome(response.getWelcome(), now);
            case REQUEST_ERROR -> refused(response.getRequestError());
            case DRAINING -> moveAt = now + Math.min(LONGEST_DRAIN_MILLIS,
                Integer.toUnsignedLong(response.getDraining().getReconnectDelayMillis()));
            case RESPONSE_NOT_SET -> { }  // A later server may say more than we know.
            default -> {
                boolean isInTurn = stage == Stage.WELCOMED || stage == Stage.LEAVING;
                StreamEnd.unless(isInTurn, response.getResponseCase() + " before Welcome");
                live(response, now);
            }
        }
        settle(now);
        flush();
    }

    private void live(PresenceResponse response, long now) throws StreamEnd {
        switch (response.getResponseCase()) {
            case SNAPSHOT -> {
                follow(roster.apply(response.getSnapshot()), now);
                if (!roster.isAwaiting()) {
                    hold(now);
                }
            }
            case DELTA -> follow(roster.apply(response.getDelta()), now);
            case HEARTBEAT -> {
                ServerHeartbeat beat = response.getHeartbeat();
                isDegraded = beat.getDegraded();
                follow(roster.apply(beat), now);
                beat(beat.getNonce());
            }
            case SELECTION_UPDATE -> {
                asks.selected(response.getSelectionUpdate().getRequestId());
                selection.receive(response.getSelectionUpdate());
            }
            case SEND_RESULT -> {
                SendResult result = response.getSendResult();
                boolean isKnown = result.getOutcome() != SendOutcome.UNRECOGNIZED && result.getOutcomeValue() != 0;
                asks.sent(result.getRequestId(),
                    isKnown ? result.getOutcome() : SendOutcome.SEND_OUTCOME_UNCONFIRMED, result.getRevision());
            }
            case DELIVERY -> deliver(response.getDelivery());
            default -> throw new AssertionError(response.getResponseCase());
        }
    }

    /** Lets time pass. */
    void tick(long now) throws StreamEnd {
        // If this process itself was stopped (a laptop's lid), what the server said may still wait to be read.
        heardAt += Math.max(0, now - tickedAt - STALLED_MILLIS);
        tickedAt = now;
        boolean isWelcome = stage == Stage.WELCOMED;
        if (stage == Stage.OFFLINE || stage == Stage.LEAVING) {
            return;
        }
        if (now >= moveAt) {
            throw new StreamEnd(StreamEnd.Why.PLANNED, "the server is stopping");
        } else if (now >= (isWelcome ? heardAt + leaseMillis : welcomeBy)) {
            throw new StreamEnd(StreamEnd.Why.LOST, isWelcome ? "the server is silent" : "no answer in time");
        } else if (now >= listBy) {
            throw new StreamEnd(StreamEnd.Why.VIOLATION, "the server sent no list in time");
        }
        settle(now);
    }

    /** Goes offline, because the stream has ended; another follows in so many seconds. */
    void lost(String cause, double retrySeconds) {
        stage = Stage.OFFLINE;
        become(roster.isComplete() ? "reconnecting" : "connecting", cause, retrySeconds);
        selection.doubt();
    }

    /** Ends for good. What has no answer yet will have none. */
    void close(String cause) {
        selection.doubt();
        stage = Stage.OFFLINE;
        asks.giveUp(false);
        become("closed", cause, null);
    }

    // What the application wants.

    /** Says something new about oneself: now, or with the next Hello. */
    void update(Profile newProfile) {
        profile = newProfile;
        if (stage == Stage.WELCOMED) {
            updateId = asks.nextId();
            say(request -> request.getUpdateProfileBuilder().setRequestId(updateId).setProfile(profile));
        }
    }

    /** Selects a member; with an empty key nobody. A `selection` event answers. */
    void select(ByteString key) {
        asks.select(key);
        flush();
    }

    /** Sends a message, as soon as there is a connection; `done` gets outcome and revision, once. */
    void send(ByteString recipient, ByteString payload, BiConsumer<SendOutcome, Long> done) {
        asks.send(recipient, payload, done);
        flush();
    }

    /** Says Leave. False if there is no stream to say it on. */
    boolean leave() {
        if (stage == Stage.OFFLINE) {
            return false;
        }
        say(request -> request.setLeave(Leave.getDefaultInstance()));
        stage = Stage.LEAVING;
        return true;
    }

    // What the server says.

    private void prove(Challenge challenge) throws StreamEnd {
        StreamEnd.unless(stage == Stage.HELLO, "Challenge out of turn");
        StreamEnd.unless(challenge.getServerNonce().size() == Identity.KEY_BYTES, "a nonce of another size");
        stage = Stage.PROOF;
        say(request -> request.getProofBuilder().setSignature(identity.prove(hello, challenge)));
    }

    private void welcome(Welcome welcome, long now) throws StreamEnd {
        boolean isResumed = welcome.getResumed();
        StreamEnd.unless(stage == Stage.HELLO || stage == Stage.PROOF, "Welcome out of turn");
        boolean isOurs = hello.hasResume() && welcome.getSessionId().equals(sessionId);
        StreamEnd.unless(isOurs || !isResumed, "Welcome to another session");
        int longest = Math.max(welcome.getSessionId().size(), welcome.getResumeToken().size());
        StreamEnd.unless(longest <= MAX_TOKEN_BYTES, "a huge token");
        stage = Stage.WELCOMED;
        sessionId = welcome.getSessionId();
        token = welcome.getResumeToken();
        leaseMillis = believed(welcome.getLeaseMillis(), 12_000);
        heartbeatMillis = believed(welcome.getHeartbeatMillis(), 5_000);
        maxPayloadBytes = believed(welcome.getLimits().getPayloadBytes(), 4_096);
        asks.begin(isResumed);
        if (!isResumed) {
            deliveries.clear();
            selection.forget();
        }
        if (!profile.equals(hello.getProfile())) {
            update(profile);
        }
        boolean isContinued = isResumed && roster.isTrusted();
        roster.begin(isContinued);
        if (isContinued) {
            hold(now);
        } else {
            listBy = now + LIST_MILLIS;
        }
    }

    /** Asks for a snapshot if there is a reason. */
    private void follow(ResyncReason why, long now) {
        if (why != null) {
            listBy = now + LIST_MILLIS;
            say(request -> request.getResyncBuilder().setReason(why));
        }
    }

    /** The list is the server's: says so to the server. */
    private void hold(long now) {
        listedAt = Math.min(listedAt, now);
        listBy = NEVER;
        isListed = true;
        beat(0);
    }

    private void beat(long echo) {
        say(request -> request.getHeartbeatBuilder().setEpoch(roster.epoch()).setRevision(roster.revision())
            .setDigest(roster.digest()).setEcho(echo));
    }

    private void deliver(Delivery delivery) throws StreamEnd {
        StreamEnd.unless(delivery.getSender().size() == Identity.KEY_BYTES, "a key of another size");
        if (deliveries.add(delivery.getDeliveryId())) {
            Member sender = roster.get(delivery.getSender());
            events.accept(Event.of("message", "delivery_id", delivery.getDeliveryId(), "sender_key", delivery.getSender(),
                "sender_fingerprint", Identity.fingerprint(delivery.getSender()),
                "sender_name", sender == null ? null : sender.getProfile().getName(),
                "text", delivery.getPayload().toStringUtf8(), "sent_at", JsonLines.instant(delivery.getSentAtUnixMillis())));
            if (deliveries.size() > MAX_DELIVERIES) {
                deliveries.remove(deliveries.iterator().next());
            }
        }
        say(request -> request.getAckBuilder().setDeliveryId(delivery.getDeliveryId()));
    }

    private void refused(RequestError error) {
        Member me = roster.get(identity.publicKey);
        if (error.getRequestId() != 0 && error.getRequestId() == updateId && me != null) {
            profile = me.getProfile();  // Said again in the next Hello, the refused one would end the session.
        }
        events.accept(Event.of("refused", "request_id", error.getRequestId(), "reason", error.getReason(),
            "message", error.getMessage()));
        boolean isNobody = error.getReason() == Reason.REASON_BAD_RECIPIENT;
        asks.selected(error.getRequestId());
        asks.sent(error.getRequestId(),
            isNobody ? SendOutcome.SEND_OUTCOME_RECIPIENT_OFFLINE : SendOutcome.SEND_OUTCOME_UNCONFIRMED, roster.revision());
    }

    /** Says what waits, if the list is the server's: an outcome must never speak of a list that we don't hold. */
    private void flush() {
        if (stage == Stage.WELCOMED && !roster.isAwaiting()) {
            asks.write(maxPayloadBytes, requests);
        }
    }

    private void say(Consumer<PresenceRequest.Builder> fill) {
        var request = PresenceRequest.newBuilder();
        fill.accept(request);
        requests.accept(request.build());
    }

    /** Becomes the state that the stream is in. */
    private void settle(long now) {
        if (stage != Stage.WELCOMED || !isListed) {
            return;
        }
        // The longest time between two heartbeats is 1.2 intervals; after half of that again one is certainly missing.
        boolean isSilent = now - heardAt >= 1.8 * heartbeatMillis;
        if (roster.isAwaiting() || isSilent) {
            become("stale", isSilent ? "the server is silent" : "the list is being fetched again", null);
        } else {
            become(isDegraded ? "degraded" : "live", isDegraded ? "the server has trouble" : "", null);
        }
    }

    private void become(String newPhase, String cause, Double retrySeconds) {
        if (!newPhase.equals(phase) || retrySeconds != null) {
            String before = phase;
            phase = newPhase;
            events.accept(Event.of("state", "phase", phase, "before", before, "cause", cause, "retry_in_seconds", retrySeconds));
        }
    }

    /** Reads milliseconds or bytes that a server gave: 0 means that it said nothing, and nothing absurd is believed. */
    private static long believed(int value, long otherwise) {
        return value == 0 ? otherwise : Math.max(10, Math.min(Integer.toUnsignedLong(value), 3_600_000));
    }
}
