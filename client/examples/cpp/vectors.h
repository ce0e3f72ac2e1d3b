// Runs the test vectors of protos/vectors against this client, without a network, and prints a line for each case.
#pragma once

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <functional>
#include <iostream>

#include "session.h"

namespace adsum {

using Vector = nlohmann::json;  // unlike Json, equal whatever the order of fields

// What a case expected and didn't get.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void expect(const std::string& what, const Vector& expected, const Vector& got) {
  if (expected != got) throw Mismatch(what + ": expected " + expected.dump() + ", got " + got.dump());
}

inline std::string base64(const std::string& text) {
  std::string digits(sodium_base64_ENCODED_LEN(text.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(digits.data(), digits.size(), bytes(text), text.size(), sodium_base64_VARIANT_ORIGINAL);
  digits.pop_back();
  return digits;
}

inline std::string unbase64(const std::string& digits) {
  std::string text(digits.size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(bytes(text), text.size(), digits.data(), digits.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0)
    throw Mismatch("not base64: " + digits);
  text.resize(size);
  return text;
}

inline std::uint64_t number(const Vector& text) { return std::stoull(text.get<std::string>()); }

inline void run_proof(const Vector& proof) {
  const Identity identity(unhex(proof["seed"]));
  expect("public_key", proof["public_key"], hex(identity.public_key));
  expect("fingerprint", proof["fingerprint"], fingerprint(identity.public_key));
  const std::string text = transcript(proof["audience"], unhex(proof["server_nonce"]), unhex(proof["client_nonce"]),
                                      identity.public_key, proof["lobby"], number(proof["expires_at_unix_millis"]));
  expect("transcript", proof["transcript"], hex(text));
  expect("signature", proof["signature"], hex(identity.sign(text)));
}

inline v1::Member member_of(const Vector& vector) {
  v1::Member member;
  member.set_public_key(unhex(vector["public_key"]));
  member.set_incarnation(number(vector["incarnation"]));
  member.set_revision(number(vector["revision"]));
  return member;
}

inline void run_digest(const Vector& vector) {
  expect("digest", vector["digest"], std::to_string(Roster::digest_of(member_of(vector))));
}

inline void run_sum(const Vector& vector, const Vector& members) {
  std::uint64_t sum = 0;
  Vector sums{std::to_string(sum)};
  for (const std::string step : vector["steps"]) {
    const std::uint64_t digest = Roster::digest_of(member_of(members[std::stoul(step.substr(1))]));
    sum += step[0] == '+' ? digest : -digest;
    sums.push_back(std::to_string(sum));
  }
  expect("digests", vector["digests"], sums);
}

inline void run_audience(const Vector& vector) {
  std::string audience;
  try {
    audience = audience_of(vector["dialled"]);
  } catch (const std::exception&) {
    // Refused, as an empty audience tells.
  }
  expect("audience", vector["audience"], audience);
}

// One client of roster.json and what happens to it.
class Transcript {
 public:
  Transcript(const Vector& file, const Vector& vector)
      : session_(Identity(unhex(file["me"]["seed"])), file["audience"], file["lobby"], profile_of(file["me"]["name"]),
                 vector["observer"]) {}

  void perform(const Vector& step) {
    now_ += milliseconds(1);
    session_.requests.clear();
    session_.events.clear();
    if (step.contains("connect"))
      session_.connect(std::string(kKeyBytes, 'n'), now_);
    else if (step.contains("disconnect"))
      session_.lose("the transcript says so", milliseconds(0));
    else if (step.contains("select"))
      session_.select(unbase64(step["select"]));
    else
      session_.receive(parse<v1::PresenceResponse>(step["receive"]), now_);
    expect("holds", step["holds"], held(step["holds"]));
    std::multiset<std::string> wanted;
    for (const Vector& request : step["send"]) wanted.insert(shown(parse<v1::PresenceRequest>(request)));
    expect("send", wanted, sent(wanted));
    expect("events", by_key(step["events"]), by_key(reported(step["events"])));
  }

 private:
  static v1::Profile profile_of(const std::string& name) {
    v1::Profile profile;
    profile.set_name(name);
    return profile;
  }

  template <typename Message>
  static Message parse(const Vector& json) {
    Message message;
    const auto status = google::protobuf::util::JsonStringToMessage(json.dump(), &message);
    if (!status.ok()) throw Mismatch("not readable: " + status.ToString());
    return message;
  }

  // In the form and with the fields of the vector's `holds`. Members are sorted there by base64, here by key.
  Vector held(const Vector& expected) const {
    const Roster& roster = session_.roster;
    if (!roster.is_complete) return nullptr;
    std::map<std::string, Vector> members;
    for (const auto& [key, member] : roster.members)
      members[base64(key)] = {{"publicKey", base64(key)},
                              {"incarnation", std::to_string(member.incarnation())},
                              {"revision", std::to_string(member.revision())},
                              {"liveness", v1::Liveness_Name(member.liveness())},
                              {"name", member.profile().name()}};
    Vector held{{"epoch", std::to_string(roster.epoch)},
                {"revision", std::to_string(roster.revision)},
                {"digest", std::to_string(roster.digest)},
                {"members", Vector::array()}};
    for (const auto& [key, member] : members) held["members"].push_back(member);
    if (expected.is_object() && expected.contains("isStale")) held["isStale"] = session_.is_stale();
    return held;
  }

  // A request without what a client is free to choose.
  static std::string shown(v1::PresenceRequest request) {
    if (request.has_hello()) {
      request.mutable_hello()->clear_client_nonce();
      request.mutable_hello()->clear_profile();
    }
    if (request.has_proof()) request.mutable_proof()->clear_signature();
    if (request.has_select()) request.mutable_select()->clear_request_id();
    return request.ShortDebugString();
  }

  // What was sent, but heartbeats about the list held that nobody asked for.
  std::multiset<std::string> sent(const std::multiset<std::string>& wanted) const {
    std::multiset<std::string> all;
    for (const auto& request : session_.requests) {
      const auto& beat = request.heartbeat();
      const bool is_free = request.has_heartbeat() && beat.echo() == 0 && beat.epoch() == session_.roster.epoch &&
                           beat.revision() == session_.roster.revision && beat.digest() == session_.roster.digest;
      if (!is_free || wanted.count(shown(request)) > all.count(shown(request))) all.insert(shown(request));
    }
    return all;
  }

  // The events of docs/events.md that the vectors know, in the vectors' words.
  Vector reported(const Vector& expected) const {
    static const std::set<std::string> kMembership{"joined", "left", "suspect", "back", "updated"};
    Vector all = Vector::array();
    for (const Json& event : session_.events) {
      const std::string kind = event["event"];
      Vector told{{"kind", kind}};
      if (kMembership.count(kind) != 0) told["publicKey"] = base64(unhex(event["member"]["key"]));
      if (kind == "left" && has_reason(expected, told["publicKey"]))
        told["reason"] = upper("DEPARTURE_REASON_", event["reason"]);
      if (kind == "selection") {
        told["publicKey"] = base64(unhex(event["key"]));
        told["state"] = upper("SELECTION_STATE_", event["state"]);
        if (event["reason"] != "none") told["reason"] = upper("SELECTION_REASON_", event["reason"]);
      }
      if (kind == "message") {
        told["publicKey"] = base64(unhex(event["sender_key"]));
        told["deliveryId"] = std::to_string(event["delivery_id"].get<std::uint64_t>());
      }
      if (told.size() > 1 || kind == "snapshot") all.push_back(told);
    }
    return all;
  }

  static bool has_reason(const Vector& expected, const Vector& key) {
    return std::any_of(expected.begin(), expected.end(), [&](const Vector& event) {
      return event["kind"] == "left" && event["publicKey"] == key && event.contains("reason");
    });
  }

  static std::string upper(const std::string& prefix, std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    return prefix + name;
  }

  // The order of events counts for each member, not between members.
  static Vector by_key(const Vector& events) {
    Vector grouped = Vector::object();
    for (const Vector& event : events) grouped[event.value("publicKey", "")].push_back(event);
    return grouped;
  }

  Session session_;
  Time now_{};
};

inline void run_transcript(const Vector& file, const Vector& vector) {
  Transcript transcript(file, vector);
  int number = 0;
  for (const Vector& step : vector["steps"]) {
    try {
      transcript.perform(step);
    } catch (const std::exception& error) {
      throw Mismatch("step " + std::to_string(number) + ": " + error.what());
    }
    ++number;
  }
}

// Returns the exit code: 0 if all cases were run, whatever came of them.
inline int run_vectors(const std::string& folder) {
  const auto read = [&](const std::string& name) {
    std::ifstream file(folder + "/" + name + ".json");
    return Vector::parse(file);
  };
  const auto run = [](const std::string& file, const Vector& vectors, const std::string& name,
                      const std::function<void(const Vector&)>& check) {
    for (const Vector& vector : vectors) {
      Json line{{"file", file}, {"case", vector[name].get<std::string>()}, {"ok", true}};
      try {
        check(vector);
      } catch (const std::exception& error) {
        line["ok"] = false;
        line["why"] = error.what();
      }
      print(std::cout, line);
    }
  };
  const Vector digest = read("digest"), roster = read("roster");
  run("signing", read("signing")["proofs"], "name", run_proof);
  run("digest", digest["members"], "name", run_digest);
  run("digest", digest["sums"], "name", [&](const Vector& vector) { run_sum(vector, digest["members"]); });
  run("audience", read("audience")["cases"], "dialled", run_audience);
  run("roster", roster["cases"], "name", [&](const Vector& vector) { run_transcript(roster, vector); });
  return 0;
}

}  // namespace adsum
