//! Who someone is: an Ed25519 key, its short name, and the exact bytes that prove it.
use crate::v1::{Challenge, Hello};
use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

/// Lays out what a proof signs: the domain, then each field after its length (see `Challenge`).
pub fn transcript(hello: &Hello, challenge: &Challenge) -> Vec<u8> {
    let mut bytes = b"adsum/1 proof\r\n".to_vec();
    for field in [
        hello.audience.as_bytes(),
        &challenge.server_nonce,
        &hello.client_nonce,
        &hello.public_key,
        hello.lobby.as_bytes(),
        &challenge.expires_at_unix_millis.to_be_bytes(),
    ] {
        bytes.extend((field.len() as u32).to_be_bytes());
        bytes.extend(field);
    }
    bytes
}

/// Names a key for the human eye, such as `k7q2-m4xd`: the first 40 bits of its SHA-256.
pub fn fingerprint(public_key: &[u8]) -> String {
    let short = BASE32_NOPAD.encode(&Sha256::digest(public_key)[..5]).to_ascii_lowercase();
    format!("{}-{}", &short[..4], &short[4..])
}

/// Takes the host from what a user dialled (`host:port`, `[v6]:port`, or without a port): the audience that is
/// signed for. Never take it from a server.
pub fn audience(target: &str) -> Option<String> {
    let target = target.trim();
    let (host, port) = match target.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None if target.matches(':').count() > 1 => (target, None),
        None => target.split_once(':').map_or((target, None), |(host, port)| (host, Some(port))),
    };
    // Rust's own parser would take a sign.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let host = host.to_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    (is_host && port.is_none_or(is_port)).then(|| host.to_owned())
}
