#include "io/npy_header.h"

#include <charconv>
#include <set>

#include "core/error.h"

namespace flashcore::io {

namespace {

class Parser {
 public:
  Parser(std::string_view path, std::string_view text) : path_(path), text_(text) {}

  NpyHeader parse() {
    NpyHeader header;
    expect('{');
    while (!accept('}')) {
      parse_entry(header);
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_blanks();
    if (position_ != text_.size()) fail("nothing after the closing brace");
    for (const char* key : {"descr", "fortran_order", "shape"})
      if (!seen_.contains(key))
        core::fail(core::Status::invalid_argument, "{}: the .npy header has no '{}'", path_, key);
    return header;
  }

 private:
  void parse_entry(NpyHeader& header) {
    const std::string key = parse_string();
    if (!seen_.insert(key).second)
      core::fail(core::Status::invalid_argument, "{}: the .npy header has {:?} twice", path_, key);
    expect(':');
    if (key == "descr")
      header.descr = parse_descr();
    else if (key == "fortran_order")
      header.fortran_order = parse_bool();
    else if (key == "shape")
      header.shape = parse_shape();
    else
      core::fail(core::Status::invalid_argument, "{}: the .npy header has the unknown key {:?}",
                 path_, key);
  }

  std::string parse_descr() {
    if (peek() == '[')
      core::fail(core::Status::invalid_argument,
                 "{}: a structured dtype (records); save one plain fp16, bf16 or fp32 array",
                 path_);
    return parse_string();
  }

  std::string parse_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted string");
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) fail("a closing quote");
    const std::string_view string = text_.substr(position_ + 1, end - position_ - 1);
    if (string.find('\\') != std::string_view::npos) fail("a string without escapes");
    position_ = end + 1;
    return std::string{string};
  }

  bool parse_bool() {
    skip_blanks();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(position_).starts_with(word)) continue;
      position_ += word.size();
      return value;
    }
    fail("True or False");
  }

  Shape parse_shape() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(parse_integer());
      if (accept(',')) continue;
      expect(')');
      if (shape.size() == 1) fail("a tuple: one dimension is written (n,)");
      break;
    }
    return shape;
  }

  std::int64_t parse_integer() {
    skip_blanks();
    std::int64_t value = 0;
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::result_out_of_range) fail("a dimension below 2^63");
    if (error != std::errc{}) fail("an integer");
    position_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  void skip_blanks() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n'))
      ++position_;
  }

  char peek() {
    skip_blanks();
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  bool accept(char wanted) {
    if (peek() != wanted || position_ == text_.size()) return false;
    ++position_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string{'\'', wanted, '\''});
  }

  [[noreturn]] void fail(std::string_view wanted) {
    core::fail(core::Status::invalid_argument,
               "{}: the .npy header at character {}: expected {}, found {:?}", path_, position_,
               wanted, text_.substr(position_, 20));
  }

  std::string_view path_;
  std::string_view text_;
  std::size_t position_ = 0;
  std::set<std::string> seen_;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view path, std::string_view text) {
  return Parser{path, text}.parse();
}

}  // namespace flashcore::io
