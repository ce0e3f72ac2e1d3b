//! A small client for Adsum. `session` and `roster` decide and touch no socket, `client` carries what they say.
pub mod client;
pub mod identity;
pub mod json;
pub mod roster;
pub mod session;

/// The generated code: `make stubs LANGUAGES=rust` at the top of the repository.
#[allow(clippy::all)]
#[rustfmt::skip]
pub mod v1 {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../build/stubs/rust/adsum/v1/adsum.v1.rs"));
}
