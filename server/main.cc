// kvd, a node of Starling.

#include <cstdio>
#include <exception>
#include <signal.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "server/config.h"
#include "server/host.h"
#include "server/log.h"
#include "server/node.h"

namespace {

void say(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

// Until the node takes the signals over: nothing has been acknowledged, so there is nothing to
// save.
void end_at_once(int) { ::_exit(0); }

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGINT, end_at_once);
  ::signal(SIGTERM, end_at_once);
  try {
    const auto config =
        starling::parse_command_line(std::vector<std::string>(argv + 1, argv + argc),
                                     {starling::host_name(), starling::usable_memory_bytes()});
    if (!config) {
      say(config.error().code == 0 ? stdout : stderr, config.error().text);
      return config.error().code;
    }
    starling::Log log;
    auto node = starling::Node::open(*config, log);
    if (!node) {
      say(stderr, "kvd: " + node.error() + "\n");
      return starling::exit_failed;
    }
    (*node)->run([](const std::string& line) { say(stdout, line + "\n"); });
    return 0;
  } catch (const std::exception& error) {
    say(stderr, std::string("kvd: ") + error.what() + "\n");
    return starling::exit_failed;
  }
}
