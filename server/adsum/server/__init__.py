"""The Adsum server: pure cores, a store behind a port, and a thin gRPC shell around them.

    stream -> wire -> session -> store -> lobby -> stream

A request enters once, becomes a decision, the store gives it a revision, the lobby folds it in, and every stream that stands at an
older revision is owed the difference.
"""
