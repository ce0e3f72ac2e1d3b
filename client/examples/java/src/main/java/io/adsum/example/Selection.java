package io.adsum.example;

import com.google.protobuf.ByteString;
import io.adsum.v1.SelectionReason;
import io.adsum.v1.SelectionState;
import io.adsum.v1.SelectionUpdate;
import java.util.function.Consumer;

/**
 * Whom the session has selected. The server decides; what is added here is doubt: while the connection is lost nobody is
 * available, and with the session the selection is gone. Nothing is ever selected again by itself. Pure.
 */
final class Selection {
    // Reasons of our own, beside those of SelectionReason.
    private static final String NOT_CONNECTED = "not_connected", SESSION_LOST = "session_lost";

    private record Choice(ByteString key, long incarnation, SelectionState state, Object reason) {}

    private final Roster roster;
    private final Consumer<Event> events;
    private Choice choice;  // Null: nobody.

    Selection(Roster roster, Consumer<Event> events) {
        this.roster = roster;
        this.events = events;
    }

    void receive(SelectionUpdate update) throws StreamEnd {
        ByteString key = update.getPublicKey();
        StreamEnd.unless(key.isEmpty() || key.size() == Identity.KEY_BYTES, "a key of another size");
        if (key.isEmpty()) {
            if (choice == null) {
                return;  // Nobody was selected, and nobody is.
            }
            key = choice.key;
        }
        // A state that a later server may have is doubt.
        SelectionState state = switch (update.getState()) {
            case SELECTION_STATE_AVAILABLE, SELECTION_STATE_CLEARED -> update.getState();
            default -> SelectionState.SELECTION_STATE_UNAVAILABLE;
        };
        var said = new Choice(key, update.getIncarnation(), state, update.getReason());
        if (update.getRequestId() == 0 && said.equals(choice)) {
            return;  // Believed already.
        }
        tell(said, update.getRevision());
        if (state == SelectionState.SELECTION_STATE_CLEARED) {
            // It may be about an earlier choice.
            choice = choice == null || choice.key.equals(key) ? null : choice;
        } else {
            choice = said.reason == SelectionReason.SELECTION_REASON_NOT_PRESENT ? null : said;
        }
    }

    /** The connection is lost. After a resume the server says how it is. */
    void doubt() {
        if (choice != null && choice.reason != NOT_CONNECTED) {
            become(SelectionState.SELECTION_STATE_UNAVAILABLE, NOT_CONNECTED);
        }
    }

    /** The session is gone, and the selection with it. */
    void forget() {
        if (choice != null) {
            become(SelectionState.SELECTION_STATE_CLEARED, SESSION_LOST);
            choice = null;
        }
    }

    private void become(SelectionState state, Object reason) {
        var next = new Choice(choice.key, choice.incarnation, state, reason);
        tell(next, roster.revision());
        choice = next;
    }

    private void tell(Choice next, long revision) {
        events.accept(Event.of("selection", "revision", revision, "key", next.key, "state", next.state,
            "reason", next.reason, "was", choice == null ? null : choice.state));
    }
}
