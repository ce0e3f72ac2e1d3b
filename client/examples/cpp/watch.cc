// watch: prints who comes and goes in a lobby, one JSON object a line, as docs/events.md tells, until Ctrl-C.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "client.h"

namespace {

constexpr char kUsage[] = "usage: watch TARGET LOBBY [--name NAME] [--seed HEX | --key FILE] [--observer]";

// Reads the seed, 64 hex digits, from a file that only its owner can read; makes one if there is none.
std::string seed_of(const std::string& path) {
  const int made = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (made >= 0) {
    std::string seed(adsum::kKeyBytes, '\0');
    randombytes_buf(seed.data(), seed.size());
    const std::string line = adsum::hex(seed) + "\n";
    const bool is_written = write(made, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (close(made) != 0 || !is_written) throw std::runtime_error("can't write " + path);
  }
  std::string digits;
  if (!(std::ifstream(path) >> digits)) throw std::runtime_error("can't read " + path);
  return adsum::unhex(digits);
}

[[noreturn]] void watch(const std::vector<std::string>& arguments) {
  std::vector<std::string> places;
  std::string name = "guest", seed(adsum::kKeyBytes, '\0');
  bool is_observer = false;
  randombytes_buf(seed.data(), seed.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto value = [&] { return ++i < arguments.size() ? arguments[i] : throw std::invalid_argument(kUsage); };
    if (arguments[i] == "--name")
      name = value();
    else if (arguments[i] == "--seed")
      seed = adsum::unhex(value());
    else if (arguments[i] == "--key")
      seed = seed_of(value());
    else if (arguments[i] == "--observer")
      is_observer = true;
    else
      places.push_back(arguments[i]);
  }
  if (places.size() != 2) throw std::invalid_argument(kUsage);
  adsum::v1::Profile profile;
  profile.set_name(name);
  adsum::Session session(adsum::Identity(seed), adsum::audience_of(places[0]), places[1], profile, is_observer);
  adsum::Client client(places[0], std::move(session), adsum::print_to(std::cout, places[1]));

  // Signals are waited for by one thread; all others, gRPC's too, inherit that they are blocked.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([&] {
    for (int signal; sigwait(&signals, &signal) == 0;) client.leave();
  }).detach();
  // The thread that waits for signals never ends: the process does, before what that thread uses is taken down.
  std::quick_exit(client.run() ? 0 : 1);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (sodium_init() < 0) throw std::runtime_error("libsodium can't be initialised");
    watch({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << "watch: " << error.what() << "\n";
    return 2;
  }
}
