"""The rules that server and client share and that protobuf can't say.

Pure functions and tables: identity (who someone is and what they sign), digest (what proves that two lists are equal), limits,
reasons (why something is refused) and text (what a name may contain). Nothing here does I/O, and this is the only code that
server and client share.
"""
