"""The command line `adsum`, built on the public names of `adsum.client` alone.

Events become words (`wording`) or records (`records`) by pure functions; what a person types becomes a
command (`dialogue`) by another; each command is a thin shell (`join`, `watch`, `who`, `send`, `key`, `bots`,
`demo`), and nothing but `output` writes to the terminal, where `text` cleans whatever others have written.
"""
