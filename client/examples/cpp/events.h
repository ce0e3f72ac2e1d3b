// What is told: the JSON objects of docs/events.md, and how they are printed. An application of its own would put its own types here.
#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <ctime>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "adsum/v1/presence.pb.h"
#include "identity.h"

namespace adsum {

using Json = nlohmann::ordered_json;
using Events = std::vector<Json>;

// An enum's value in the words of events: "RECIPIENT_OFFLINE" is "recipient_offline". `otherwise` stands for the value 0, and for one
// of a later server, which has no name here; the contract says at each enum how to read those.
inline std::string word(const std::string& name, const std::string& prefix, const std::string& otherwise) {
  if (name.empty() || name == prefix + "UNSPECIFIED") return otherwise;
  std::string text = name.substr(prefix.size());
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// ISO 8601, UTC, milliseconds. Whatever a server says becomes a date from 1970 to 9999.
inline std::string iso_time(double unix_millis) {
  const auto millis = static_cast<std::int64_t>(std::clamp(unix_millis, 0.0, 253402300799999.0));
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char date[24], fraction[8];
  std::strftime(date, sizeof date, "%FT%T", &parts);
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(millis % 1000));
  return std::string(date) + fraction;
}

// Whoever isn't known to be online is suspect, as at Liveness in member.proto.
inline bool is_online(const v1::Member& member) { return member.liveness() == v1::LIVENESS_ONLINE; }

inline Json member_json(const v1::Member& member) {
  const v1::Profile& profile = member.profile();  // an empty one if the server sent none
  const auto& attributes = profile.attributes();
  return {{"key", hex(member.public_key())},
          {"fingerprint", fingerprint(member.public_key())},
          {"name", profile.name()},
          {"status", word(v1::Status_Name(profile.status()), "STATUS_", "available")},
          {"status_text", profile.status_text()},
          {"attributes", std::map<std::string, std::string>(attributes.begin(), attributes.end())},
          {"liveness", is_online(member) ? "online" : "suspect"},
          {"joined_at", iso_time(member.joined_at().seconds() * 1e3 + member.joined_at().nanos() / 1000000)},
          {"devices", member.session_count()},
          {"incarnation", member.incarnation()},
          {"revision", member.revision()}};
}

// Somebody joined, was updated, is suspect or is back.
inline Json change_json(const char* event, const v1::Member& member) {
  return {{"event", event}, {"revision", member.revision()}, {"member", member_json(member)}};
}

inline Json left_json(const v1::Member& member, std::uint64_t revision, v1::DepartureReason reason) {
  const std::string why = word(v1::DepartureReason_Name(reason), "DEPARTURE_REASON_", "left");
  return {{"event", "left"}, {"revision", revision}, {"member", member_json(member)}, {"reason", why}};
}

// One line of ASCII: everything else is escaped, and what isn't UTF-8 replaced, so that it is safe to show on a terminal.
inline void print(std::ostream& out, const Json& record) {
  out << record.dump(-1, ' ', true, Json::error_handler_t::replace) << std::endl;
}

// Prints each event with the time and the lobby.
inline std::function<void(const Json&)> print_to(std::ostream& out, const std::string& lobby) {
  return [&out, lobby](const Json& event) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Json record{{"event", event["event"]},
                {"time", iso_time(std::chrono::duration<double, std::milli>(now).count())},
                {"lobby", lobby}};
    record.update(event);
    print(out, record);
  };
}

}  // namespace adsum
