// Who one is: an Ed25519 key, its short name, the bytes that prove it to a server; and the host that the user dialled.
//
// libsodium must have been initialised (sodium_init) before.
#pragma once

#include <sodium.h>

#include <codecvt>
#include <cstdint>
#include <locale>
#include <regex>
#include <stdexcept>
#include <string>

namespace adsum {

constexpr std::size_t kKeyBytes = 32;  // of a public key, of a seed, and of either side's nonce

inline const unsigned char* bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

inline std::string big_endian(std::uint64_t value, int size) {
  std::string text;
  while (size-- > 0) text += static_cast<char>(value >> 8 * size);
  return text;
}

// The first `size` bytes of the SHA-256 of a text, as a big-endian number.
inline std::uint64_t hash_of(const std::string& text, int size) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, bytes(text), text.size());
  std::uint64_t number = 0;
  for (int i = 0; i < size; ++i) number = number << 8 | hash[i];
  return number;
}

inline std::string hex(const std::string& text) {
  std::string digits(2 * text.size() + 1, '\0');  // sodium writes a NUL behind them
  sodium_bin2hex(digits.data(), digits.size(), bytes(text), text.size());
  digits.pop_back();
  return digits;
}

// Throws std::invalid_argument if it isn't hexadecimal.
inline std::string unhex(const std::string& digits) {
  std::string text(digits.size() / 2, '\0');
  if (sodium_hex2bin(bytes(text), text.size(), digits.data(), digits.size(), nullptr, nullptr, nullptr) != 0)
    throw std::invalid_argument("not hexadecimal");
  return text;
}

// A key's short name for the human eye, such as "k7q2-m4xd": 40 bits of its hash in base32.
inline std::string fingerprint(const std::string& public_key) {
  const std::uint64_t bits = hash_of(public_key, 5);
  std::string name;
  for (int shift = 35; shift >= 0; shift -= 5) name += "abcdefghijklmnopqrstuvwxyz234567"[bits >> shift & 31];
  return name.insert(4, "-");
}

// What a proof signs, as laid out at Challenge in presence.proto. Never protobuf bytes: they have no canonical form.
inline std::string transcript(const std::string& audience, const std::string& server_nonce,
                              const std::string& client_nonce, const std::string& public_key, const std::string& lobby,
                              std::uint64_t expires_at) {
  std::string text = "adsum/1 proof\r\n";
  for (const auto& field : {audience, server_nonce, client_nonce, public_key, lobby, big_endian(expires_at, 8)})
    text += big_endian(field.size(), 4) + field;
  return text;
}

struct Identity {
  std::string public_key = std::string(kKeyBytes, '\0');
  std::string secret_key = std::string(crypto_sign_SECRETKEYBYTES, '\0');

  // Throws std::invalid_argument if the seed isn't 32 bytes.
  explicit Identity(const std::string& seed) {
    if (seed.size() != kKeyBytes) throw std::invalid_argument("a seed has 32 bytes");
    crypto_sign_seed_keypair(bytes(public_key), bytes(secret_key), bytes(seed));
  }

  std::string sign(const std::string& text) const {
    std::string signature(crypto_sign_BYTES, '\0');
    crypto_sign_detached(bytes(signature), nullptr, bytes(text), text.size(), bytes(secret_key));
    return signature;
  }
};

// The host in HOST, HOST:PORT, [V6]:PORT or V6, in lower case without a final dot: what is signed for. It comes from what the user
// typed and never from the server, so that the signature is worth nothing to another one. Throws an exception if there is no host.
inline std::string audience_of(const std::string& target) {
  static const std::regex kTarget(
      R"(\s*(?:\[([^\]\s/]+)\]|([^\[:\s/]+)|([^\[:\s/]*:[^\s/]*:[^\s/]*))(?::(\d{1,5}))?\s*)");
  std::smatch match;
  if (!std::regex_match(target, match, kTarget) || (match[4].matched && std::stoi(match[4]) > 65535))
    throw std::invalid_argument("not HOST:PORT: " + target);
  std::wstring_convert<std::codecvt_utf8<wchar_t>> utf8;
  std::wstring host = utf8.from_bytes(match[1].str() + match[2].str() + match[3].str());
  // Only a UTF-8 locale knows the lower case of what isn't ASCII.
  std::use_facet<std::ctype<wchar_t>>(std::locale("C.UTF-8")).tolower(host.data(), host.data() + host.size());
  if (host.back() == L'.') host.pop_back();
  if (host.empty()) throw std::invalid_argument("there is no host in " + target);
  return utf8.to_bytes(host);
}

}  // namespace adsum
