package io.adsum.example;

import com.google.protobuf.ByteString;
import io.adsum.v1.Delta;
import io.adsum.v1.Departure;
import io.adsum.v1.DepartureReason;
import io.adsum.v1.Liveness;
import io.adsum.v1.Member;
import io.adsum.v1.ResyncReason;
import io.adsum.v1.ServerHeartbeat;
import io.adsum.v1.Snapshot;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The copy of one lobby, kept by the rules beside Snapshot and Delta in member.proto. Each `apply` returns why a Resync must
 * be sent, or null. While a snapshot is awaited (promised, asked for or begun), deltas and heartbeats are dropped.
 *
 * Epoch, revision, incarnation and digest are unsigned 64-bit numbers in Java's signed long: equality and sums are the same
 * for both, but order is not, so revisions are compared with Long.compareUnsigned.
 */
final class Roster {
    private static final int MAX_MEMBERS = 100_000;
    private static final int SNAPSHOTS_IN_VAIN = 3;
    private static final byte[] DOMAIN = "adsum/1".getBytes(StandardCharsets.US_ASCII);

    private final Consumer<Event> events;
    private Map<ByteString, Member> members = new LinkedHashMap<>();
    private long epoch, revision, digest;
    private boolean isComplete, isAwaiting = true;
    private ResyncReason cause;
    // The snapshot that is being collected: what is the same in all its chunks, its members, their digest.
    private Snapshot head;
    private Map<ByteString, Member> draft;
    private long draftDigest;
    private int nextChunk, snapshotsInVain;

    Roster(Consumer<Event> events) {
        this.events = events;
    }

    Collection<Member> members() { return members.values(); }
    Member get(ByteString key) { return members.get(key); }
    long epoch() { return epoch; }
    long revision() { return revision; }
    long digest() { return digest; }
    /** True once there has been a first list. */
    boolean isComplete() { return isComplete; }
    boolean isAwaiting() { return isAwaiting; }
    /** True if a resume may name this list: it was the server's once, even if it is old now. */
    boolean isTrusted() { return isComplete && cause != ResyncReason.RESYNC_REASON_DIGEST; }

    /** Starts on a new stream: deltas go on from what is held, or else a snapshot comes. */
    void begin(boolean isContinued) {
        isAwaiting = !isContinued;
        head = null;
        snapshotsInVain = 0;
        cause = isContinued ? null : cause;
    }

    ResyncReason apply(Snapshot chunk) throws StreamEnd {
        Snapshot common = chunk.toBuilder().clearMembers().clearLast().clearChunkIndex().build();
        long count = Integer.toUnsignedLong(chunk.getCount()), chunks = Integer.toUnsignedLong(chunk.getChunkCount());
        if (chunk.getChunkIndex() == 0) {
            // Never more chunks than members: a server can't keep us collecting for ever.
            StreamEnd.unless(count <= MAX_MEMBERS && 1 <= chunks && chunks <= Math.max(1, count), "an absurd snapshot");
            head = common;
            draft = new LinkedHashMap<>();
            draftDigest = 0;
            nextChunk = 0;
            isAwaiting = true;
            }
        StreamEnd.unless(common.equals(head) && chunk.getChunkIndex() == nextChunk
            && chunk.getLast() == (nextChunk == chunks - 1), "a chunk out of order");
        nextChunk++;
        for (Member member : chunk.getMembersList()) {
            checkKey(member.getPublicKey());
            // What is held counts, not what came: a member named twice is held once.
            Member before = draft.put(member.getPublicKey(), member);
            draftDigest += digest(member) - (before == null ? 0 : digest(before));
        }
        StreamEnd.unless(draft.size() <= count, "more members than it counts");
        if (!chunk.getLast()) {
            return null;
        }
        head = null;
        if (draftDigest != chunk.getDigest() || draft.size() != count) {
            StreamEnd.unless(++snapshotsInVain < SNAPSHOTS_IN_VAIN, "snapshots that contradict their own digest");
            return resync(ResyncReason.RESYNC_REASON_DIGEST);
        }
        adopt(chunk);
        return null;
    }

    private void adopt(Snapshot snapshot) {
        Map<ByteString, Member> old = members;
        boolean isSameEpoch = snapshot.getEpoch() == epoch, isFirst = !isComplete;
        boolean wasWrong = cause == ResyncReason.RESYNC_REASON_DIGEST;
        members = draft;
        epoch = snapshot.getEpoch();
        revision = snapshot.getRevision();
        digest = draftDigest;
        isComplete = true;
        isAwaiting = false;
        cause = null;
        snapshotsInVain = 0;
        if (isFirst) {
            events.accept(Event.of("snapshot", "schema", 1, "revision", revision, "members", List.copyOf(members.values())));
            return;
        }
        var changes = new ArrayList<Event>();
        members.forEach((key, member) -> describe(old.get(key), member, isSameEpoch, changes));
        old.forEach((key, member) -> {
            if (!members.containsKey(key)) {
                // Nobody says any more how and when they went.
                changes.add(departed(member, revision, DepartureReason.DEPARTURE_REASON_LEFT));
            }
        });
        tell(changes);
        Map<String, Set<Object>> keys = changes.stream().collect(Collectors.groupingBy(
            change -> Set.of("joined", "left").contains(change.kind()) ? change.kind() : "updated",
            Collectors.mapping(change -> ((Member) change.fields().get("member")).getPublicKey(), Collectors.toSet())));
        events.accept(Event.of("repaired", "revision", revision, "cause", wasWrong ? "digest" : isSameEpoch ? "gap" : "epoch",
            "joined", keys.getOrDefault("joined", Set.of()).size(),
            "updated", keys.getOrDefault("updated", Set.of()).size(),
            "left", keys.getOrDefault("left", Set.of()).size()));
    }

    ResyncReason apply(Delta delta) throws StreamEnd {
        if (isAwaiting) {
            return null;
        } else if (delta.getEpoch() != epoch) {
            return resync(ResyncReason.RESYNC_REASON_EPOCH);
        } else if (Long.compareUnsigned(delta.getRevision(), revision) <= 0) {
            return null;
        } else if (delta.getBaseRevision() != revision) {
            return resync(ResyncReason.RESYNC_REASON_GAP);
        }
        var present = new ArrayList<>(delta.getJoinedList());
        present.addAll(delta.getUpdatedList());
        var keys = new HashSet<ByteString>();
        for (Member member : present) {
            checkKey(member.getPublicKey());
            StreamEnd.unless(keys.add(member.getPublicKey()), "a delta that names a member twice");
        }
        revision = delta.getRevision();
        var changes = new ArrayList<Event>();
        for (Member member : present) {
            Member before = members.put(member.getPublicKey(), member);
            digest += digest(member) - (before == null ? 0 : digest(before));
            describe(before, member, true, changes);
        }
        for (Departure departure : delta.getLeftList()) {
            Member gone = members.remove(departure.getPublicKey());
            if (gone != null) {
                digest -= digest(gone);
                changes.add(departed(gone, departure.getRevision(), departure.getReason()));
            }
        }
        tell(changes);
        StreamEnd.unless(members.size() <= MAX_MEMBERS, "too large a lobby");
        return compare(delta.getDigest(), delta.getCount());
    }

    ResyncReason apply(ServerHeartbeat beat) {
        if (isAwaiting) {
            return null;
        } else if (beat.getEpoch() != epoch) {
            return resync(ResyncReason.RESYNC_REASON_EPOCH);
        } else if (beat.getRevision() != revision) {
            return resync(ResyncReason.RESYNC_REASON_GAP);
        }
        return compare(beat.getDigest(), beat.getCount());
    }

    private ResyncReason compare(long theirDigest, int theirCount) {
        boolean isSame = digest == theirDigest && members.size() == theirCount;
        return isSame ? null : resync(ResyncReason.RESYNC_REASON_DIGEST);
    }

    private ResyncReason resync(ResyncReason reason) {
        isAwaiting = true;
        return cause = reason;
    }

    /** The difference between two records of a key, as events. Incarnations of two epochs don't compare. */
    private static void describe(Member before, Member after, boolean isSameEpoch, List<Event> changes) {
        long at = after.getRevision();
        if (before != null && isSameEpoch && before.getIncarnation() != after.getIncarnation()) {
            changes.add(departed(before, at, DepartureReason.DEPARTURE_REASON_LEFT));
            before = null;
        }
        if (before == null) {
            changes.add(Event.of("joined", "revision", at, "member", after));
            return;
        }
        if (isOnline(before) != isOnline(after)) {
            changes.add(Event.of(isOnline(after) ? "back" : "suspect", "revision", at, "member", after));
        }
        if (!before.getProfile().equals(after.getProfile()) || before.getSessionCount() != after.getSessionCount()) {
            changes.add(Event.of("updated", "revision", at, "member", after, "before", before));
        }
    }

    private static Event departed(Member member, long revision, DepartureReason reason) {
        return Event.of("left", "revision", revision, "member", member, "reason", reason);
    }

    /** Tells changes in the order in which they happened. */
    private void tell(List<Event> changes) {
        changes.sort(Comparator.comparing(change -> (Long) change.fields().get("revision"), Long::compareUnsigned));
        changes.forEach(events);
    }

    static boolean isOnline(Member member) {
        return member.getLiveness() == Liveness.LIVENESS_ONLINE;
    }

    private static void checkKey(ByteString key) throws StreamEnd {
        StreamEnd.unless(key.size() == Identity.KEY_BYTES, "a key of " + key.size() + " bytes");
    }

    /** One member's part of the digest. The digest of a lobby is the sum; overflow is the modulo. */
    static long digest(Member member) {
        ByteString key = member.getPublicKey();
        byte[] bytes = ByteBuffer.allocate(DOMAIN.length + Integer.BYTES + key.size() + 2 * Long.BYTES)
            .put(DOMAIN).putInt(key.size()).put(key.asReadOnlyByteBuffer())
            .putLong(member.getIncarnation()).putLong(member.getRevision()).array();
        return ByteBuffer.wrap(Identity.sha256(bytes)).getLong();
    }
}
