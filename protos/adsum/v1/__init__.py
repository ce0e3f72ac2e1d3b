"""The contract on the wire: the .proto files are its source, the modules are generated from them."""
