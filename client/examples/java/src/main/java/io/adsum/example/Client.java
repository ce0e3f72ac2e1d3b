package io.adsum.example;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.adsum.v1.LobbyServiceGrpc;
import io.adsum.v1.PresenceRequest;
import io.adsum.v1.PresenceResponse;
import io.adsum.v1.Profile;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.security.SecureRandom;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Keeps a session connected: channel, stream, timers, reconnecting. It decides nothing about the lobby.
 *
 * Everything happens on one thread, `loop`: gRPC's callbacks, the clock, and what `run` is given. So nothing here or in the
 * session needs a lock, and events come in order.
 */
final class Client {
    private static final long TICK_MILLIS = 100;
    private static final long LEAVE_MILLIS = 2_000;
    /** How long a connection must have lived for the next loss to be answered at once again. */
    private static final long STABLE_MILLIS = 2_000;
    private static final int MAX_UNREAD = 1_000;
    private static final double FIRST_CEILING = 0.2, LAST_CEILING = 10, LONGEST_RETRY = 3_600;

    final Session session;
    private final Target target;
    private final SecureRandom random = new SecureRandom();
    private final CompletableFuture<Integer> finished = new CompletableFuture<>();
    private final ScheduledExecutorService loop = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "adsum");
        thread.setDaemon(true);
        return thread;
    });
    private Call stream;
    private double ceilingSeconds;
    private boolean isLeaving;
    private String refusal = "";

    Client(Target target, Identity identity, String lobby, boolean isObserver, Profile profile, Consumer<Event> events) {
        this.target = target;
        session = new Session(identity, lobby, target.host(), isObserver, profile, this::write, events);
        loop.execute(() -> guard(this::dial));
        loop.scheduleWithFixedDelay(() -> guard(() -> session.tick(now())), TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Does something with the session, on its thread. */
    void run(Runnable action) {
        loop.execute(action);
    }

    /** Leaves. What `join` returns is then 0. */
    void leave() {
        run(() -> {
            isLeaving = true;
            if (session.leave()) {
                loop.schedule(() -> finish(0), LEAVE_MILLIS, TimeUnit.MILLISECONDS);
            } else {
                finish(0);
            }
        });
    }

    /** Waits for the end: 0 after `leave`, 1 if the server refuses for good. */
    int join() {
        return finished.join();
    }

    private void finish(int code) {
        if (!finished.isDone()) {
            session.close(isLeaving ? "left" : refusal);
            hangUp();
            finished.complete(code);
        }
    }

    private void dial() {
        if (isLeaving) {
            return;
        }
        // A channel for each attempt: a connection that is dead without knowing it must not swallow the next attempt too, and
        // gRPC's own delays between attempts don't come to bear. For TLS leave out usePlaintext.
        ManagedChannel channel = ManagedChannelBuilder.forAddress(target.host(), target.port())
            .usePlaintext().executor(loop).disableRetry().build();
        var next = new Call(channel);
        LobbyServiceGrpc.newStub(channel).presence(next);
        stream = next;
        byte[] nonce = new byte[Identity.KEY_BYTES];
        random.nextBytes(nonce);
        session.hello(ByteString.copyFrom(nonce), now());
    }

    private void write(PresenceRequest request) {
        stream.requests.onNext(request);
        // gRPC keeps what can't be written yet. A server that delivers and never reads would fill our memory with answers.
        stream.unread = stream.requests.isReady() ? 0 : stream.unread + 1;
        if (stream.unread == MAX_UNREAD) {
            Call full = stream;
            run(() -> {
                if (full == stream) {
                    ended("the server reads nothing", StreamEnd.Why.VIOLATION, 0);
                }
            });
        }
    }

    private void hangUp() {
        if (stream != null) {
            Call old = stream;
            stream = null;  // First, so that its last words are ignored.
            old.requests.cancel("this stream is over", null);
            old.channel.shutdownNow();
        }
    }

    private interface Step {
        void run() throws StreamEnd;
    }

    /** Takes a step with the session. Whatever a server has said, the worst that follows is another stream. */
    private void guard(Step step) {
        try {
            step.run();
        } catch (StreamEnd end) {
            ended(end.getMessage(), end.why, 0);
        } catch (RuntimeException e) {
            ended(e.toString(), StreamEnd.Why.VIOLATION, 0);
        }
    }

    private void ended(String cause, StreamEnd.Why why, double leastSeconds) {
        long liveMillis = session.liveMillis(now());
        double least = Math.max(leastSeconds, why == StreamEnd.Why.PLANNED ? 0 : session.drainMillis(now()) / 1e3);
        hangUp();
        if (isLeaving) {
            finish(0);
            return;
        }
        // A random time between 0 and a ceiling that doubles: after a server's end its clients come back spread out. Only after
        // a connection that has lived, or that the server asked us to leave, the attempt is made at once.
        boolean hasLived = why == StreamEnd.Why.PLANNED || liveMillis >= STABLE_MILLIS && why != StreamEnd.Why.VIOLATION;
        ceilingSeconds = hasLived ? 0 : Math.min(Math.max(2 * ceilingSeconds, FIRST_CEILING), LAST_CEILING);
        double delaySeconds = least + random.nextDouble() * ceilingSeconds;
        session.lost(cause, delaySeconds);
        loop.schedule(() -> guard(this::dial), (long) (delaySeconds * 1000), TimeUnit.MILLISECONDS);
    }

    /** Reads from a status why the server ended the stream. A refusal without RetryInfo is for good, known to us or not. */
    private void ended(Throwable error) {
        String reason = "";
        Double leastSeconds = null;
        try {
            for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
                if (detail.is(ErrorInfo.class) && detail.unpack(ErrorInfo.class).getDomain().equals("adsum")) {
                    reason = detail.unpack(ErrorInfo.class).getReason();
                } else if (detail.is(RetryInfo.class)) {
                    var delay = detail.unpack(RetryInfo.class).getRetryDelay();
                    leastSeconds = Math.max(0, Math.min(delay.getSeconds() + delay.getNanos() / 1e9, LONGEST_RETRY));
                }
            }
        } catch (InvalidProtocolBufferException | RuntimeException e) {
            reason = "";  // Details that can't be read are as good as none: a lost connection.
        }
        if (!reason.isEmpty() && leastSeconds == null && !isLeaving) {
            refusal = reason;
            finish(1);
            return;
        }
        Status status = Status.fromThrowable(error);
        // "UNAVAILABLE: io exception: Connection refused"
        String cause = Stream.of(status.getCode(), status.getDescription(), status.getCause()).filter(Objects::nonNull)
            .map(part -> part instanceof Throwable thrown ? thrown.getMessage() : part.toString())
            .collect(Collectors.joining(": "));
        ended(reason.isEmpty() ? cause : reason, StreamEnd.Why.LOST, leastSeconds == null ? 0 : leastSeconds);
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }

    /** One RPC. What comes from a stream that isn't the one of the moment is ignored. */
    private final class Call implements ClientResponseObserver<PresenceRequest, PresenceResponse> {
        private final ManagedChannel channel;
        private ClientCallStreamObserver<PresenceRequest> requests;
        private int unread;

        private Call(ManagedChannel channel) {
            this.channel = channel;
        }

        @Override
        public void beforeStart(ClientCallStreamObserver<PresenceRequest> requests) {
            this.requests = requests;
        }

        @Override
        public void onNext(PresenceResponse response) {
            if (this == stream) {
                guard(() -> session.receive(response, now()));
            }
        }

        @Override
        public void onError(Throwable error) {
            if (this == stream) {
                ended(error);
            }
        }

        @Override
        public void onCompleted() {
            if (this == stream) {
                ended("the server has closed the stream", StreamEnd.Why.LOST, 0);
            }
        }
    }
}
