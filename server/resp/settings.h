// What CONFIG shows and changes.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace starling::resp {

class Server;

// All there are, by name. Only options that exist here: no value is made up for one that does not.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> settings(Server& server);

// All or nothing. The error is a whole sentence, in Redis's words where it has some.
struct NewSetting {
  std::string name;        // in lower case
  std::string_view asked;  // as the client wrote it
  std::string_view value;
};
using NewSettings = std::vector<NewSetting>;
[[nodiscard]] std::expected<void, std::string> change_settings(Server& server,
                                                               const NewSettings& wanted);

}  // namespace starling::resp
