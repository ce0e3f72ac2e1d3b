// One session in one lobby, alive across streams. It has no sockets, clock or threads: what happens goes in with the time at which it
// did, and `requests` and `events` come out. It knows the handshake, heartbeats, resync and resume, the selection, what was sent and
// what was delivered.
#pragma once

#include <chrono>
#include <deque>

#include "roster.h"

namespace adsum {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using std::chrono::milliseconds;

constexpr milliseconds kHandshakeTime{5'000};   // from dialling to Welcome
constexpr milliseconds kSnapshotTime{30'000};   // from Welcome or Resync to the last chunk
constexpr milliseconds kLongestDrain{60'000};   // no server is waited for longer
constexpr std::size_t kRequestsWaiting = 2048;  // a server that doesn't read more than these is given up
constexpr std::size_t kSendsOutstanding = 1024;
constexpr std::size_t kDeliveriesRemembered = 1024;

// A message without a result.
struct Outgoing {
  v1::Send send;
  bool is_said = false;   // on this stream
  bool is_known = false;  // perhaps, to the server, in this session
};

class Session {
 public:
  std::deque<v1::PresenceRequest> requests;  // to be written in this order; whoever does takes them out
  Events events;                             // to be told; likewise
  Roster roster;

  Session(Identity identity, std::string audience, std::string lobby, v1::Profile profile, bool is_observer)
      : identity_(std::move(identity)),
        audience_(std::move(audience)),
        lobby_(std::move(lobby)),
        profile_(std::move(profile)),
        is_observer_(is_observer) {}

  bool is_stale() const { return !listed_since_ || roster.is_awaiting; }

  // For how long the stream of the moment has had its list.
  Clock::duration listed_for(Time now) const { return listed_since_ ? now - *listed_since_ : Clock::duration::zero(); }

  // A stream was opened. `nonce`: 32 fresh random bytes.
  void connect(const std::string& nonce, Time now) {
    nonce_ = nonce;
    is_challenged_ = is_degraded_ = false;
    wait_for_list_until_ = move_at_ = Time::max();
    dead_at_ = now + kHandshakeTime;
    v1::Hello& hello = *ask().mutable_hello();
    hello.set_lobby(lobby_);
    hello.set_public_key(identity_.public_key);
    hello.set_client_nonce(nonce_);
    hello.set_audience(audience_);
    *hello.mutable_profile() = profile_;
    hello.set_observer(is_observer_);
    is_profile_told_ = true;
    is_list_named_ = roster.is_trusted();
    if (session_id_.empty()) return;
    v1::Resume& resume = *hello.mutable_resume();
    resume.set_session_id(session_id_);
    resume.set_token(token_);
    if (!is_list_named_) return;
    resume.set_epoch(roster.epoch);
    resume.set_revision(roster.revision);
    resume.set_digest(roster.digest);
  }

  // The server said this. Throws Violation if no server may say it: then the stream must be ended.
  void receive(const v1::PresenceResponse& response, Time now) {
    if (is_welcome_) dead_at_ = now + lease_;
    take_in(response, now);
    ask_what_waits();
    if (requests.size() > kRequestsWaiting) throw Violation("more and more, but doesn't read the answers");
  }

  // The stream has ended; another follows after the delay.
  void lose(const std::string& cause, milliseconds delay) {
    requests.clear();
    is_welcome_ = false;
    listed_since_.reset();
    tell_state(roster.is_complete ? "reconnecting" : "connecting", cause, delay.count() / 1e3);
  }

  // The last stream has ended. `cause`: why the server refuses for good; empty if the person left.
  void close(const std::string& cause) {
    for (const auto& [id, outgoing] : std::exchange(sends_, {})) tell_sent(id, "unconfirmed");
    is_welcome_ = false;
    listed_since_.reset();
    if (!cause.empty()) tell_state("closed", cause);
  }

  // What the person wants.

  void update(const v1::Profile& profile) {
    profile_ = profile;
    is_profile_told_ = false;
    ask_what_waits();
  }

  // Selects a member, or clears the selection with an empty key. The server's answer is told as an event.
  void select(const std::string& public_key) {
    wanted_.emplace();
    wanted_->set_request_id(++last_id_);
    wanted_->set_public_key(public_key);
    is_wanted_told_ = false;
    ask_what_waits();
  }

  // Sends a message now, or as soon as there is a connection. Returns its request id; exactly one `sent` tells what became of it.
  std::uint64_t send(const std::string& public_key, const std::string& payload) {
    const std::uint64_t id = ++last_id_;
    if (payload.size() > payload_bytes_ || sends_.size() >= kSendsOutstanding) {
      tell_sent(id, payload.size() > payload_bytes_ ? "too_large" : "rate_limited", roster.revision);
      return id;
    }
    v1::Send& send = sends_[id].send;
    send.set_request_id(id);
    send.set_recipient(public_key);
    send.set_payload(payload);
    ask_what_waits();
    return id;
  }

  // Says Leave as soon as there is somebody to say it to. The server then ends the stream.
  void leave() {
    is_leaving_ = true;
    ask_what_waits();
  }

  // The clock.

  Time deadline() const { return std::min({dead_at_, wait_for_list_until_, move_at_}); }

  // Why the stream must be ended now; empty if it mustn't.
  std::string overdue(Time now) const {
    if (now >= move_at_) return "the server is stopping";
    if (now >= dead_at_) return is_welcome_ ? "nothing heard for too long" : "no answer in time";
    return now >= wait_for_list_until_ ? "no list in time" : "";
  }

  // How long a server that is stopping still wants to be spared.
  milliseconds spare(Time now) const {
    return move_at_ == Time::max() || move_at_ < now ? milliseconds(0)
                                                     : std::chrono::ceil<milliseconds>(move_at_ - now);
  }

 private:
  v1::PresenceRequest& ask() { return requests.emplace_back(); }

  void take_in(const v1::PresenceResponse& response, Time now) {
    if (response.has_challenge()) return receive_challenge(response.challenge());
    if (response.has_welcome()) return receive_welcome(response.welcome(), now);
    if (response.has_draining()) {
      move_at_ = now + std::min(milliseconds(response.draining().reconnect_delay_millis()), kLongestDrain);
      return;
    }
    if (response.has_request_error()) return receive_error(response.request_error());
    if (response.response_case() == v1::PresenceResponse::RESPONSE_NOT_SET) return;  // a later server may say more
    if (!is_welcome_) throw Violation("something else before Welcome");
    if (response.has_snapshot()) return follow(roster.receive(response.snapshot(), events), now, true);
    if (response.has_delta()) return follow(roster.receive(response.delta(), events), now);
    if (response.has_heartbeat()) {
      is_degraded_ = response.heartbeat().degraded();
      follow(roster.receive(response.heartbeat()), now);
      return beat(response.heartbeat().nonce());
    }
    if (response.has_selection_update()) return receive_selection(response.selection_update());
    if (response.has_delivery()) return receive_delivery(response.delivery());
    const v1::SendResult& result = response.send_result();
    const std::string outcome = word(v1::SendOutcome_Name(result.outcome()), "SEND_OUTCOME_", "unconfirmed");
    if (sends_.erase(result.request_id()) != 0) tell_sent(result.request_id(), outcome, result.revision());
  }

  void receive_challenge(const v1::Challenge& challenge) {
    if (is_welcome_ || is_challenged_ || challenge.server_nonce().size() != kKeyBytes)
      throw Violation("a bad Challenge");
    is_challenged_ = true;
    ask().mutable_proof()->set_signature(
        identity_.sign(transcript(audience_, challenge.server_nonce(), nonce_, identity_.public_key, lobby_,
                                  challenge.expires_at_unix_millis())));
  }

  void receive_welcome(const v1::Welcome& welcome, Time now) {
    const bool is_known = !session_id_.empty() && welcome.session_id() == session_id_;
    if (is_welcome_ || (welcome.resumed() && !is_known)) throw Violation("a bad Welcome");
    is_welcome_ = true;
    // 0 means that the server didn't say; nothing absurd is believed.
    lease_ = milliseconds(welcome.lease_millis() == 0 ? 12'000u : std::clamp(welcome.lease_millis(), 10u, 3'600'000u));
    dead_at_ = now + lease_;
    if (welcome.limits().payload_bytes() != 0) payload_bytes_ = welcome.limits().payload_bytes();
    if (!welcome.resumed()) begin_session();
    session_id_ = welcome.session_id();
    token_ = welcome.resume_token();
    for (auto& [id, outgoing] : sends_) outgoing.is_said = false;  // again, with the same id
    is_wanted_told_ = false;
    roster.begin_stream(welcome.resumed() && is_list_named_);
    if (roster.is_awaiting)
      wait_for_list_until_ = now + kSnapshotTime;
    else
      hold_list(now);
  }

  // What the session before had selected and promised died with it.
  void begin_session() {
    delivered_.clear();
    if (!selected_.empty()) tell_selection(selected_, "cleared", "session_lost", roster.revision);
    for (auto outgoing = sends_.begin(); outgoing != sends_.end();) {
      if (outgoing->second.is_known) tell_sent(outgoing->first, "unconfirmed");
      outgoing = outgoing->second.is_known ? sends_.erase(outgoing) : std::next(outgoing);
    }
  }

  // Does what follows from a message about the list.
  void follow(v1::ResyncReason reason, Time now, bool is_snapshot = false) {
    if (reason != v1::RESYNC_REASON_UNSPECIFIED) ask().mutable_resync()->set_reason(reason);
    wait_for_list_until_ = roster.is_awaiting ? std::min(wait_for_list_until_, now + kSnapshotTime) : Time::max();
    if (is_snapshot && !roster.is_awaiting)
      hold_list(now);
    else if (listed_since_)
      settle();
  }

  // The list is the server's: say so to both sides.
  void hold_list(Time now) {
    if (!listed_since_) listed_since_ = now;
    beat(0);
    settle();
  }

  void settle() {
    if (roster.is_awaiting)
      tell_state("stale", "the list is being fetched again");
    else if (is_degraded_)
      tell_state("degraded", "the server has trouble");
    else
      tell_state("live", "");
  }

  void beat(std::uint64_t echo) {
    v1::ClientHeartbeat& heartbeat = *ask().mutable_heartbeat();
    heartbeat.set_epoch(roster.epoch);
    heartbeat.set_revision(roster.revision);
    heartbeat.set_digest(roster.digest);
    heartbeat.set_echo(echo);
  }

  void receive_selection(const v1::SelectionUpdate& update) {
    if (wanted_ && wanted_->request_id() == update.request_id()) wanted_.reset();
    tell_selection(update.public_key(),
                   word(v1::SelectionState_Name(update.state()), "SELECTION_STATE_", "unavailable"),
                   word(v1::SelectionReason_Name(update.reason()), "SELECTION_REASON_", "none"), update.revision());
  }

  void tell_selection(const std::string& key, const std::string& state, const std::string& reason,
                      std::uint64_t revision) {
    const std::string about = key.empty() ? selected_ : key;  // a Select without a key is answered without one
    events.push_back({{"event", "selection"},
                      {"revision", revision},
                      {"key", hex(about)},
                      {"state", state},
                      {"reason", reason},
                      {"was", selected_.empty() ? Json() : Json(selection_state_)}});
    const bool is_selected = state != "cleared" && reason != "not_present";
    selected_ = is_selected ? about : "";
    selection_state_ = state;
  }

  // It may come again: it is acknowledged again, but told once.
  void receive_delivery(const v1::Delivery& delivery) {
    if (delivery.sender().size() != kKeyBytes) throw Violation("a sender whose key isn't 32 bytes");
    const auto known = std::find(delivered_.begin(), delivered_.end(), delivery.delivery_id());
    if (known == delivered_.end()) {
      delivered_.push_back(delivery.delivery_id());
      if (delivered_.size() > kDeliveriesRemembered) delivered_.pop_front();
      const auto sender = roster.members.find(delivery.sender());
      const Json name = sender == roster.members.end() ? Json() : Json(sender->second.profile().name());
      events.push_back({{"event", "message"},
                        {"delivery_id", delivery.delivery_id()},
                        {"sender_key", hex(delivery.sender())},
                        {"sender_fingerprint", fingerprint(delivery.sender())},
                        {"sender_name", name},
                        {"text", delivery.payload()},
                        {"sent_at", iso_time(static_cast<double>(delivery.sent_at_unix_millis()))}});
    }
    ask().mutable_ack()->set_delivery_id(delivery.delivery_id());
  }

  void receive_error(const v1::RequestError& error) {
    const std::string reason = word(v1::Reason_Name(error.reason()), "REASON_", "unspecified");
    events.push_back(
        {{"event", "refused"}, {"request_id", error.request_id()}, {"reason", reason}, {"message", error.message()}});
    if (error.request_id() == 0) return;
    if (sends_.erase(error.request_id()) != 0) tell_sent(error.request_id(), reason);
    if (wanted_ && wanted_->request_id() == error.request_id()) wanted_.reset();
    // A refused profile in the next Hello would be refused for good: fall back to the one that the lobby knows.
    const auto me = roster.members.find(identity_.public_key);
    if (error.request_id() == update_id_ && me != roster.members.end()) profile_ = me->second.profile();
  }

  // Says what may be said now and hasn't been. An outcome must not speak of a list that isn't there yet.
  void ask_what_waits() {
    if (!is_welcome_) return;
    if (!std::exchange(is_profile_told_, true)) {
      v1::UpdateProfile& update = *ask().mutable_update_profile();
      update.set_request_id(update_id_ = ++last_id_);
      *update.mutable_profile() = profile_;
    }
    if (!is_stale()) {
      if (wanted_ && !std::exchange(is_wanted_told_, true)) *ask().mutable_select() = *wanted_;
      for (auto& [id, outgoing] : sends_) {
        if (!std::exchange(outgoing.is_said, true)) *ask().mutable_send() = outgoing.send;
        outgoing.is_known = true;
      }
    }
    if (std::exchange(is_leaving_, false)) ask().mutable_leave();
  }

  void tell_sent(std::uint64_t id, const std::string& outcome, std::uint64_t revision = 0) {
    events.push_back({{"event", "sent"}, {"request_id", id}, {"outcome", outcome}, {"revision", revision}});
  }

  void tell_state(const std::string& phase, const std::string& cause, const Json& retry_in_seconds = {}) {
    if (phase == phase_ && (phase == "live" || phase == "stale" || phase == "degraded")) return;
    events.push_back({{"event", "state"},
                      {"phase", phase},
                      {"before", std::exchange(phase_, phase)},
                      {"cause", cause},
                      {"retry_in_seconds", retry_in_seconds}});
  }

  Identity identity_;
  std::string audience_, lobby_;
  v1::Profile profile_;
  bool is_observer_;
  // The session: as the last Welcome said.
  std::string session_id_, token_;
  milliseconds lease_{12'000};
  std::size_t payload_bytes_ = 4096;
  std::deque<std::uint64_t> delivered_;
  std::string selected_, selection_state_;
  // What is asked: kept until it is answered.
  std::uint64_t last_id_ = 0, update_id_ = 0;
  std::map<std::uint64_t, Outgoing> sends_;
  std::optional<v1::Select> wanted_;
  bool is_profile_told_ = true, is_wanted_told_ = false, is_leaving_ = false;
  // The stream.
  std::string nonce_, phase_ = "connecting";
  bool is_challenged_ = false, is_welcome_ = false, is_degraded_ = false, is_list_named_ = false;
  std::optional<Time> listed_since_;
  Time dead_at_ = Time::max(), wait_for_list_until_ = Time::max(), move_at_ = Time::max();
};

}  // namespace adsum
