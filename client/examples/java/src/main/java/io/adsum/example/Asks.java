package io.adsum.example;

import com.google.protobuf.ByteString;
import io.adsum.v1.PresenceRequest;
import io.adsum.v1.Select;
import io.adsum.v1.Send;
import io.adsum.v1.SendOutcome;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * The selects and sends without an answer yet, across streams and sessions. Pure. Each send ends once, with an outcome.
 *
 * One that was written may have reached the server. In the same session it is written again with its id, and the server drops
 * what it knows; in a new session nobody can tell any more what became of a message.
 */
final class Asks {
    private static final int MAX_ASKS = 128;

    /**
     * `done` gets the outcome and its revision; null for a Select. `isWritten` is about this stream, `mayHaveArrived` about any of
     * the session: a resume resets only the first, as another session may still come before it is written again.
     */
    private record Ask(
            PresenceRequest request, BiConsumer<SendOutcome, Long> done, boolean isWritten, boolean mayHaveArrived) {}

    private final Map<Long, Ask> asks = new LinkedHashMap<>();
    private long lastId;

    long nextId() {
        return ++lastId;
    }

    void select(ByteString key) {
        // Only the last choice counts: an earlier one that still waits needn't be said.
        asks.values().removeIf(ask -> ask.done == null);
        var select = Select.newBuilder().setRequestId(nextId()).setPublicKey(key);
        asks.put(lastId, new Ask(PresenceRequest.newBuilder().setSelect(select).build(), null, false, false));
    }

    void send(ByteString recipient, ByteString payload, BiConsumer<SendOutcome, Long> done) {
        if (asks.size() >= MAX_ASKS) {
            done.accept(SendOutcome.SEND_OUTCOME_RATE_LIMITED, 0L);
            return;
        }
        var send = Send.newBuilder().setRequestId(nextId()).setRecipient(recipient).setPayload(payload);
        asks.put(lastId, new Ask(PresenceRequest.newBuilder().setSend(send).build(), done, false, false));
    }

    /** Writes what wasn't written yet on this stream. The server refuses a larger payload, or even the stream for it. */
    void write(long maxPayloadBytes, Consumer<PresenceRequest> requests) {
        for (long id : new ArrayList<>(asks.keySet())) {
            Ask ask = asks.get(id);
            if (ask.request.getSend().getPayload().size() > maxPayloadBytes) {
                sent(id, SendOutcome.SEND_OUTCOME_TOO_LARGE, 0);
            } else if (!ask.isWritten) {
                asks.put(id, new Ask(ask.request, ask.done, true, true));
                requests.accept(ask.request);
            }
        }
    }

    /** The answer to a select has come. Ids that we don't know, or not any more, are ignored, here and below. */
    void selected(long id) {
        asks.computeIfPresent(id, (same, ask) -> ask.done == null ? null : ask);
    }

    /** The answer to a send has come. */
    void sent(long id, SendOutcome outcome, long revision) {
        Ask ask = asks.get(id);
        if (ask != null && ask.done != null) {
            asks.remove(id);
            ask.done.accept(outcome, revision);
        }
    }

    /** A session goes on, or another starts. */
    void begin(boolean isResumed) {
        if (!isResumed) {
            giveUp(true);
        }
        asks.replaceAll((id, ask) -> new Ask(ask.request, ask.done, false, ask.mayHaveArrived));
    }

    /** No answer will come any more: to those that may have arrived, or to all. */
    void giveUp(boolean onlyArrived) {
        for (long id : new ArrayList<>(asks.keySet())) {
            if (asks.get(id).mayHaveArrived || !onlyArrived) {
                sent(id, SendOutcome.SEND_OUTCOME_UNCONFIRMED, 0);
            }
        }
    }
}
