// The copy of a lobby, and the rules by which it follows the server's: those written beside Snapshot and Delta in member.proto.
//
// A roster either follows (deltas are applied) or awaits a snapshot that was promised, asked for or begun (deltas are dropped). The
// chunks are collected aside, so the list changes in one step. Whoever applies every event shows what the roster holds.
#pragma once

#include <google/protobuf/util/message_differencer.h>

#include <optional>
#include <set>

#include "events.h"

namespace adsum {

constexpr std::size_t kMaxMembers = 100'000;  // a server that tells of more isn't believed,
constexpr int kSnapshotsInVain = 3;           // nor one whose snapshots contradict themselves so often

// The server did what no server may do: its stream must be ended.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Roster {
 public:
  std::map<std::string, v1::Member> members;          // by public key
  std::uint64_t epoch = 0, revision = 0, digest = 0;  // of what is held; the digest is our own sum
  bool is_complete = false;                           // there has been a first list
  bool is_awaiting = true;                            // a snapshot is awaited

  // True if the server once confirmed the list, so that another stream may go on from it.
  bool is_trusted() const { return is_complete && cause_ != v1::RESYNC_REASON_DIGEST; }

  // `goes_on`: deltas follow from what is held. Else a snapshot comes.
  void begin_stream(bool goes_on) {
    is_awaiting = !goes_on;
    chunk_.reset();
    snapshots_in_vain_ = 0;
    if (goes_on) cause_ = v1::RESYNC_REASON_UNSPECIFIED;
  }

  // Each `receive` returns why Resync must be sent; RESYNC_REASON_UNSPECIFIED if it mustn't.
  v1::ResyncReason receive(const v1::Snapshot& chunk, Events& events) {
    if (chunk.chunk_index() == 0) {  // it starts afresh, whatever came before
      if (chunk.count() > kMaxMembers || chunk.chunk_count() > chunk.count() + 1) throw Violation("an absurd snapshot");
      is_awaiting = true;
      coming_.clear();
    } else if (!chunk_ || chunk.chunk_index() != chunk_->chunk_index() + 1 ||
               chunk.chunk_index() >= chunk.chunk_count() || chunk.epoch() != chunk_->epoch() ||
               chunk.revision() != chunk_->revision()) {
      throw Violation("chunks of a snapshot that don't fit together");
    }
    check_keys(chunk.members());
    for (const auto& member : chunk.members()) coming_[member.public_key()] = member;
    if (coming_.size() > chunk.count()) throw Violation("a snapshot of more members than it counts");
    chunk_ = chunk;
    if (!chunk.last()) return v1::RESYNC_REASON_UNSPECIFIED;
    chunk_.reset();
    std::uint64_t sum = 0;
    for (const auto& [key, member] : coming_) sum += digest_of(member);
    if (sum != chunk.digest() || coming_.size() != chunk.count()) {
      if (++snapshots_in_vain_ == kSnapshotsInVain) throw Violation("snapshots that contradict themselves");
      return resync(v1::RESYNC_REASON_DIGEST);
    }
    adopt(chunk, events);
    return v1::RESYNC_REASON_UNSPECIFIED;
  }

  v1::ResyncReason receive(const v1::Delta& delta, Events& events) {
    if (is_awaiting) return v1::RESYNC_REASON_UNSPECIFIED;
    if (delta.epoch() != epoch) return resync(v1::RESYNC_REASON_EPOCH);
    if (delta.revision() <= revision) return v1::RESYNC_REASON_UNSPECIFIED;  // a duplicate
    if (delta.base_revision() != revision) return resync(v1::RESYNC_REASON_GAP);
    for (const auto* list : {&delta.joined(), &delta.updated()}) check_keys(*list);  // all, before the first is applied
    Events changes;
    for (const auto* list : {&delta.joined(), &delta.updated()})
      for (const auto& member : *list) put(member, true, changes);
    for (const auto& departure : delta.left())
      drop(departure.public_key(), departure.revision(), departure.reason(), changes);
    revision = delta.revision();
    tell(changes, events);
    if (members.size() > kMaxMembers) throw Violation("an absurd number of members");
    return compare(delta.digest(), delta.count());
  }

  v1::ResyncReason receive(const v1::ServerHeartbeat& beat) {
    if (is_awaiting) return v1::RESYNC_REASON_UNSPECIFIED;
    if (beat.epoch() != epoch) return resync(v1::RESYNC_REASON_EPOCH);
    if (beat.revision() != revision) return resync(v1::RESYNC_REASON_GAP);
    return compare(beat.digest(), beat.count());
  }

  Json members_json() const {
    Json list = Json::array();
    for (const auto& [key, member] : members) list.push_back(member_json(member));
    return list;
  }

  // What a member adds to the digest of its lobby, as laid out at Delta.digest.
  static std::uint64_t digest_of(const v1::Member& member) {
    return hash_of("adsum/1" + big_endian(member.public_key().size(), 4) + member.public_key() +
                       big_endian(member.incarnation(), 8) + big_endian(member.revision(), 8),
                   8);
  }

 private:
  template <typename List>
  static void check_keys(const List& list) {
    for (const auto& member : list)
      if (member.public_key().size() != kKeyBytes) throw Violation("a member whose key isn't 32 bytes");
  }

  v1::ResyncReason compare(std::uint64_t digest_there, std::size_t count_there) {
    const bool agrees = digest == digest_there && members.size() == count_there;
    return agrees ? v1::RESYNC_REASON_UNSPECIFIED : resync(v1::RESYNC_REASON_DIGEST);
  }

  v1::ResyncReason resync(v1::ResyncReason reason) {
    is_awaiting = true;
    return cause_ = reason;
  }

  // Takes in a whole record, and tells what is new about it. Across epochs incarnations can't be compared.
  void put(const v1::Member& after, bool same_epoch, Events& changes) {
    auto held = members.find(after.public_key());
    if (held != members.end() && same_epoch && held->second.incarnation() != after.incarnation()) {
      drop(after.public_key(), after.revision(), v1::DEPARTURE_REASON_LEFT, changes);
      held = members.end();
    }
    digest += digest_of(after);
    if (held == members.end()) {
      changes.push_back(change_json("joined", after));
      members[after.public_key()] = after;
      return;
    }
    const v1::Member before = std::exchange(held->second, after);
    digest -= digest_of(before);
    if (is_online(before) != is_online(after))
      changes.push_back(change_json(is_online(after) ? "back" : "suspect", after));
    if (before.session_count() != after.session_count() ||
        !google::protobuf::util::MessageDifferencer::Equals(before.profile(), after.profile())) {
      changes.push_back(change_json("updated", after));
      changes.back()["before"] = member_json(before);
    }
  }

  // Ignores whoever isn't held.
  void drop(const std::string& key, std::uint64_t at_revision, v1::DepartureReason reason, Events& changes) {
    const auto gone = members.find(key);
    if (gone == members.end()) return;
    digest -= digest_of(gone->second);
    changes.push_back(left_json(gone->second, at_revision, reason));
    members.erase(gone);
  }

  // Replaces the list, and tells the first one as a whole, and of any other what it changes.
  void adopt(const v1::Snapshot& snapshot, Events& events) {
    const bool is_first = !std::exchange(is_complete, true), same_epoch = snapshot.epoch() == epoch;
    const auto cause = std::exchange(cause_, v1::RESYNC_REASON_UNSPECIFIED);
    epoch = snapshot.epoch();
    revision = snapshot.revision();
    is_awaiting = false;
    snapshots_in_vain_ = 0;
    Events changes;
    for (const auto& [key, member] : std::map(members))
      if (coming_.count(key) == 0) drop(key, revision, v1::DEPARTURE_REASON_LEFT, changes);
    for (const auto& [key, member] : std::exchange(coming_, {})) put(member, same_epoch, changes);
    if (is_first) {
      events.push_back({{"event", "snapshot"}, {"schema", 1}, {"revision", revision}, {"members", members_json()}});
      return;
    }
    std::map<std::string, std::set<std::string>> keys;  // of the members that joined, left, or are otherwise changed
    for (const Json& change : changes) {
      const std::string event = change["event"];
      keys[event == "joined" || event == "left" ? event : "updated"].insert(change["member"]["key"]);
    }
    tell(changes, events);
    const char* why = !same_epoch ? "epoch" : cause == v1::RESYNC_REASON_DIGEST ? "digest" : "gap";
    events.push_back({{"event", "repaired"},
                      {"revision", revision},
                      {"cause", why},
                      {"joined", keys["joined"].size()},
                      {"updated", keys["updated"].size()},
                      {"left", keys["left"].size()}});
  }

  // Merged changes are told in the order in which they happened.
  static void tell(Events& changes, Events& events) {
    std::stable_sort(changes.begin(), changes.end(), [](const Json& one, const Json& other) {
      return one["revision"].get<std::uint64_t>() < other["revision"].get<std::uint64_t>();
    });
    std::move(changes.begin(), changes.end(), std::back_inserter(events));
  }

  std::map<std::string, v1::Member> coming_;  // the members of the snapshot under way,
  std::optional<v1::Snapshot> chunk_;         // and its latest chunk
  int snapshots_in_vain_ = 0;
  v1::ResyncReason cause_ = v1::RESYNC_REASON_UNSPECIFIED;
};

}  // namespace adsum
