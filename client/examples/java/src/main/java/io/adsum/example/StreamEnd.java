package io.adsum.example;

/** Says that a stream must be ended from this side, and why. The client then comes back on another. */
final class StreamEnd extends Exception {
    /** PLANNED: the server asked for it. VIOLATION: the server did what none may do, so don't hurry back. */
    enum Why { LOST, PLANNED, VIOLATION }

    final Why why;

    StreamEnd(Why why, String cause) {
        super(cause);
        this.why = why;
    }

    /** Ends the stream unless the server has kept to the contract. */
    static void unless(boolean isRight, String violation) throws StreamEnd {
        if (!isRight) {
            throw new StreamEnd(Why.VIOLATION, "the server sent " + violation);
        }
    }
}
