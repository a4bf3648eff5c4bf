// Redis's patterns: *, ?, [a-z], [^ab], and \ before a character that means itself.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

namespace starling::resp {

// A client's pattern is its own to choose, but not the time that others wait for it: a longer one
// is refused.
inline constexpr std::size_t max_pattern_bytes = 1024;

// Accepts what Redis's stringmatchlen accepts, its corners included: no character class at all is
// fulfilled by `[]`, one that is not closed ends with the pattern, and to an empty text nothing
// fits, only the pattern `*` is taken for none at all.
// Matches in at most |pattern| * |text| steps and without recursion: of several stars only the last
// one ever has to be taken back, because whatever the ones before it could do, it can do as well.
class Glob {
 public:
  explicit Glob(std::string_view pattern);

  [[nodiscard]] bool matches(std::string_view text) const;

 private:
  using Class = std::bitset<256>;
  enum class Kind : std::uint8_t { one, any_one, any_run, one_of };
  struct Token {
    Kind kind;
    unsigned char character = 0;  // of `one`
    std::size_t of_class = 0;     // of `one_of`: index
  };

  void read_class(std::string_view& rest);
  [[nodiscard]] bool fits(const Token& token, unsigned char c) const;

  bool everything_ = false;
  std::vector<Token> tokens_;
  std::vector<Class> classes_;
};

}  // namespace starling::resp
