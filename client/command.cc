#include <charconv>

#include <starling/command.h>

namespace starling {
namespace {

template <typename T>
Result<T> take(Value& value) {
  if (auto* found = std::get_if<T>(&value)) {
    return std::move(*found);
  }
  return std::unexpected(
      Error{ErrorCode::protocol, "the node's answer has another shape than this command promises"});
}

}  // namespace

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
      return "bad_request";
    case ErrorCode::wrong_type:
      return "wrong_type";
    case ErrorCode::not_a_number:
      return "not_a_number";
    case ErrorCode::overflow:
      return "overflow";
    case ErrorCode::too_large:
      return "too_large";
    case ErrorCode::behind:
      return "behind";
    case ErrorCode::not_ready:
      return "not_ready";
    case ErrorCode::no_space:
      return "no_space";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::storage:
      return "storage";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::unreachable:
      return "unreachable";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::closed:
      return "closed";
  }
  return "unknown";
}

template <>
Result<void> decode<void>(Value value) {
  auto done = take<Done>(value);
  if (!done) {
    return std::unexpected(std::move(done.error()));
  }
  return {};
}

template <>
Result<bool> decode<bool>(Value value) {
  const auto number = take<std::int64_t>(value);
  if (!number) {
    return std::unexpected(number.error());
  }
  return *number != 0;
}

template <>
Result<std::int64_t> decode<std::int64_t>(Value value) {
  return take<std::int64_t>(value);
}

template <>
Result<std::string> decode<std::string>(Value value) {
  return take<std::string>(value);
}

template <>
Result<std::optional<std::string>> decode<std::optional<std::string>>(Value value) {
  if (std::holds_alternative<std::monostate>(value)) {
    return std::optional<std::string>{};
  }
  auto text = take<std::string>(value);
  if (!text) {
    return std::unexpected(std::move(text.error()));
  }
  return std::optional(std::move(*text));
}

// A counter is a string that holds an integer.
template <>
Result<std::optional<std::int64_t>> decode<std::optional<std::int64_t>>(Value value) {
  auto text = decode<std::optional<std::string>>(std::move(value));
  if (!text) {
    return std::unexpected(std::move(text.error()));
  }
  if (!*text) {
    return std::optional<std::int64_t>{};
  }
  const std::string& digits = **text;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return std::unexpected(Error{ErrorCode::not_a_number, "the value is text, not an integer"});
  }
  return std::optional(number);
}

template <>
Result<std::vector<std::string>> decode<std::vector<std::string>>(Value value) {
  return take<std::vector<std::string>>(value);
}

template <>
Result<Fields> decode<Fields>(Value value) {
  auto list = take<std::vector<std::string>>(value);
  if (!list) {
    return std::unexpected(std::move(list.error()));
  }
  if (list->size() % 2 != 0) {
    return std::unexpected(Error{ErrorCode::protocol, "a field without a value in the answer"});
  }
  Fields fields;
  for (std::size_t i = 0; i < list->size(); i += 2) {
    fields.emplace(std::move((*list)[i]), std::move((*list)[i + 1]));
  }
  return fields;
}

template <>
Result<Page> decode<Page>(Value value) {
  auto list = take<std::vector<std::string>>(value);
  if (!list) {
    return std::unexpected(std::move(list.error()));
  }
  if (list->empty()) {
    return std::unexpected(Error{ErrorCode::protocol, "a page without a cursor in the answer"});
  }
  Page page{.cursor = std::move(list->front()), .items = {}};
  page.items.assign(std::make_move_iterator(list->begin() + 1),
                    std::make_move_iterator(list->end()));
  return page;
}

}  // namespace starling
