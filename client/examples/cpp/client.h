// A session's connection: one gRPC stream after another, the clock, and the delays in between. It decides nothing about the lobby.
//
// gRPC calls a stream back from threads of its own, `run` and whoever calls `act` have theirs: one mutex lets one of them at a time at
// the session. Events are told under it, so there is one writer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "adsum/v1/presence.grpc.pb.h"
#include "session.h"
#include "status.pb.h"

namespace adsum {

using std::chrono::seconds;

constexpr seconds kStable{2};                 // a stream that had its list so long has lived
constexpr milliseconds kFirstCeiling{200};    // of the random delay before an attempt; it doubles
constexpr milliseconds kLastCeiling{10'000};  // with each that fails, up to this
constexpr seconds kLeaveTime{2};              // from Leave to the end of the stream
constexpr seconds kStatusTime{1};             // from the last message to the status

// What the end of a stream means.
struct Ending {
  std::string cause;
  bool is_final = false;     // trying again is no use
  milliseconds at_least{0};  // the server wants to be spared for so long
};

inline Ending judge(const grpc::Status& status) {
  example::StatusDetails all;
  all.ParseFromString(status.error_details());  // what can't be parsed has no details
  example::ErrorInfo error;
  example::RetryInfo retry;
  bool is_refusal = false, may_retry = false;
  for (const auto& any : all.details()) {
    const std::string name = any.type_url().substr(any.type_url().rfind('/') + 1);
    if (name == "google.rpc.ErrorInfo") is_refusal = error.ParseFromString(any.value()) && error.domain() == "adsum";
    if (name == "google.rpc.RetryInfo") may_retry = retry.ParseFromString(any.value());
  }
  const milliseconds at_least = seconds(std::clamp<std::int64_t>(retry.retry_delay().seconds(), 0, 3600)) +
                                milliseconds(std::clamp(retry.retry_delay().nanos() / 1'000'000, 0, 999));
  // What isn't Adsum's own refusal comes from something in between, and is a lost connection.
  if (!is_refusal) return {status.ok() ? "the server ended the stream" : status.error_message(), false, at_least};
  return {error.reason() + ": " + status.error_message(), !may_retry, at_least};
}

class Client {
 public:
  using Tell = std::function<void(const Json& event)>;

  // `target` is HOST:PORT. `tell` is called for each event, by one thread at a time.
  Client(std::string target, Session session, Tell tell)
      : target_(std::move(target)), session_(std::move(session)), tell_(std::move(tell)) {}

  // Stays in the lobby until `leave` (true), or until the server refuses for good (false).
  bool run() {
    std::unique_lock lock(mutex_);
    milliseconds ceiling{0};
    while (!is_leaving()) {
      std::string nonce(kKeyBytes, '\0');
      randombytes_buf(nonce.data(), nonce.size());
      session_.connect(nonce, Clock::now());
      stream_ = std::make_unique<Stream>(*this);
      std::string& cause = stream_->cause;  // why we end it, if we do
      while (!stream_->is_done) {
        if (cause.empty()) cause = overdue(Clock::now());
        if (!cause.empty()) stream_->cancel();
        const Time due = std::min({session_.deadline(), stream_->end_by, leave_by_});
        wake_.wait_until(lock, cause.empty() ? due : Time::max());
      }
      const Ending ending = cause.empty() ? judge(stream_->status) : Ending{cause};
      const bool has_lived = session_.listed_for(Clock::now()) >= kStable && !stream_->is_violated;
      stream_.reset();
      if (is_leaving()) break;
      if (ending.is_final) {
        session_.close(ending.cause);
        flush();
        return false;
      }
      // After a stream that lived, the next attempt is made at once.
      ceiling = has_lived ? milliseconds(0) : std::max(ceiling, kFirstCeiling);
      const milliseconds delay = std::max(ending.at_least, session_.spare(Clock::now())) +
                                 milliseconds(randombytes_uniform(ceiling.count() + 1));
      ceiling = std::clamp(2 * ceiling, kFirstCeiling, kLastCeiling);
      session_.lose(ending.cause, delay);
      flush();
      wake_.wait_for(lock, delay, [this] { return is_leaving(); });
    }
    session_.close("");
    flush();
    return true;
  }

  // Does something with the session, such as `select` or `send`.
  template <typename Action>
  void act(Action action) {
    std::lock_guard lock(mutex_);
    action(session_);
    flush();
  }

  // Says Leave, and lets `run` return when the server has ended the stream, or hasn't done so in time.
  void leave() {
    std::lock_guard lock(mutex_);
    leave_by_ = Clock::now() + kLeaveTime;
    session_.leave();
    flush();
    wake_.notify_all();
  }

 private:
  // One stream. A hold keeps it from being done while we may still start a write from outside of its own callbacks.
  class Stream : public grpc::ClientBidiReactor<v1::PresenceRequest, v1::PresenceResponse> {
   public:
    bool is_done = false, is_violated = false;
    std::string cause;          // why it was cancelled
    grpc::Status status;        // once it is done
    Time end_by = Time::max();  // nothing can be read any more: the status must come

    explicit Stream(Client& client) : client_(client) {
      grpc::ChannelArguments arguments;
      arguments.SetMaxReceiveMessageSize(1 << 20);
      // Each stream dials anew: a connection that is dead without knowing it isn't inherited. The heartbeat decides whether the server
      // lives; gRPC's pings only keep what lies in between from forgetting the connection.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
      arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
      // With TLS: grpc::SslCredentials({}), and the line before this comes out.
      const auto channel =
          grpc::CreateCustomChannel("dns:///" + client.target_, grpc::InsecureChannelCredentials(), arguments);
      stub_ = v1::LobbyService::NewStub(channel);
      stub_->async()->Presence(&context_, this);
      AddHold();
      StartRead(&response_);
      write();
      StartCall();
    }

    void cancel() { context_.TryCancel(); }

    // Writes the next request, if none is being written.
    void write() {
      auto& requests = client_.session_.requests;
      if (is_writing_ || has_ended_ || requests.empty()) return;
      is_writing_ = true;
      request_ = std::move(requests.front());
      requests.pop_front();
      StartWrite(&request_);
    }

    void OnReadDone(bool ok) override {
      std::lock_guard lock(client_.mutex_);
      has_ended_ = !ok;
      if (!ok) {
        // Either the stream has ended, and its status comes now; or these were bytes of no message, and the server knows nothing of it.
        end_by = Clock::now() + kStatusTime;
        client_.wake_.notify_all();
        return RemoveHold();
      }
      try {
        if (cause.empty()) client_.session_.receive(response_, Clock::now());
      } catch (const Violation& violation) {
        cause = std::string("the server sent ") + violation.what();
        is_violated = true;
      }
      client_.flush();
      StartRead(&response_);
      client_.wake_.notify_all();
    }

    void OnWriteDone(bool ok) override {
      std::lock_guard lock(client_.mutex_);
      is_writing_ = false;
      if (ok) write();
    }

    void OnDone(const grpc::Status& final_status) override {
      std::lock_guard lock(client_.mutex_);
      status = final_status;
      is_done = true;
      client_.wake_.notify_all();
    }

   private:
    Client& client_;
    grpc::ClientContext context_;
    std::unique_ptr<v1::LobbyService::Stub> stub_;
    v1::PresenceRequest request_;
    v1::PresenceResponse response_;
    bool is_writing_ = false, has_ended_ = false;
  };

  bool is_leaving() const { return leave_by_ != Time::max(); }

  // Why the stream must be ended now; empty if it mustn't.
  std::string overdue(Time now) {
    if (now >= leave_by_) return "left";
    if (now < stream_->end_by) return session_.overdue(now);
    stream_->is_violated = true;
    return "the server sent what is no message";
  }

  // Passes on what the session puts out.
  void flush() {
    for (const Json& event : std::exchange(session_.events, {})) tell_(event);
    if (stream_) stream_->write();
  }

  const std::string target_;
  Session session_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Stream> stream_;
  Time leave_by_ = Time::max();
};

}  // namespace adsum
