// Yes, or no with the reason.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace flashcore::core {

class [[nodiscard]] Support {
 public:
  static Support yes() { return Support{}; }
  template <typename... Args>
  static Support no(fmt::format_string<Args...> format, Args&&... args) {
    Support support;
    support.reason_ = fmt::format(format, std::forward<Args>(args)...);
    return support;
  }

  explicit operator bool() const { return reason_.empty(); }
  /// Empty when supported.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

}  // namespace flashcore::core
