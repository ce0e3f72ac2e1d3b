// The adapter of docs/conformance.md around this client: `conformance vectors FOLDER` and `conformance live`.
#include <fstream>
#include <iostream>
#include <thread>

#include "client.h"
#include "vectors.h"

namespace {

using adsum::Json;

// One client, led by commands on stdin.
class Live {
 public:
  int run() {
    Json connect;
    while (connect.is_null()) {
      const auto command = next();
      if (!command) return 0;
      if (command->value("command", "") == "connect") connect = *command;
    }
    const std::string target = connect["target"], lobby = connect["lobby"];
    adsum::v1::Profile profile;
    profile.set_name(connect.value("name", "guest"));
    adsum::Session session(adsum::Identity(adsum::unhex(connect["seed"])), adsum::audience_of(target), lobby, profile,
                           connect.value("observer", false));
    adsum::Client client(
        target, std::move(session),
        [this, print = adsum::print_to(std::cout, lobby)](const Json& event) { print(with_id(event)); });
    std::thread([&] {
      while (const auto command = next()) {
        try {
          if (command->value("command", "") == "leave") break;
          client.act([&](adsum::Session& held) { perform(*command, held); });
        } catch (const std::exception& error) {
          std::cerr << "conformance: " << error.what() << std::endl;
        }
      }
      client.leave();
    }).detach();
    // That thread may be waiting for a command: the process ends before what it uses is taken down.
    std::quick_exit(client.run() ? 0 : 1);
  }

 private:
  // The next command; none at the end of stdin. A line that isn't JSON is reported and passed over.
  static std::optional<Json> next() {
    for (std::string line; std::getline(std::cin, line);) {
      Json command = Json::parse(line, nullptr, false);
      if (command.is_object()) return command;
      std::cerr << "conformance: not a command: " << line << std::endl;
    }
    return std::nullopt;
  }

  void perform(const Json& command, adsum::Session& session) {
    const std::string kind = command.value("command", "");
    if (kind == "update") {
      adsum::v1::Profile profile;
      profile.set_name(command.value("name", ""));
      profile.set_status_text(command.value("status_text", ""));
      const std::string status = command.value("status", "available");
      profile.set_status(status == "away"   ? adsum::v1::STATUS_AWAY
                         : status == "busy" ? adsum::v1::STATUS_BUSY
                                            : adsum::v1::STATUS_AVAILABLE);
      session.update(profile);
    } else if (kind == "select") {
      session.select(adsum::unhex(command["key"]));
    } else if (kind == "send") {
      ids_[session.send(adsum::unhex(command["key"]), command["text"])] = command["id"];
    } else if (kind == "roster") {
      const adsum::Roster& roster = session.roster;
      session.events.push_back({{"event", "roster"},
                                {"id", command["id"]},
                                {"epoch", adsum::hex(adsum::big_endian(roster.epoch, 8))},
                                {"digest", adsum::hex(adsum::big_endian(roster.digest, 8))},
                                {"revision", roster.revision},
                                {"is_stale", session.is_stale()},
                                {"members", roster.members_json()}});
    }
  }

  // A `sent` tells the request id of ours; who gave the command knows its own.
  Json with_id(Json event) {
    if (event["event"] == "sent")
      if (auto given = ids_.extract(event["request_id"].get<std::uint64_t>())) event["id"] = given.mapped();
    return event;
  }

  std::map<std::uint64_t, Json> ids_;  // used only while the client lets us at its session
};

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium can't be initialised");
    if (mode == "vectors" && count == 3) return adsum::run_vectors(arguments[2]);
    if (mode == "live" && count == 2) return Live().run();
    throw std::invalid_argument("usage: conformance vectors FOLDER | conformance live");
  } catch (const std::exception& error) {
    std::cerr << "conformance: " << error.what() << std::endl;
    return 2;
  }
}
