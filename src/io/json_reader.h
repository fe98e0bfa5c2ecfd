// Reading JSON that someone else wrote: every complaint names the place.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace flashcore::io {

/// A value inside a document and the way to it, as "cases[0].gates.latency".
class JsonReader {
 public:
  JsonReader(const nlohmann::json& value, std::string path)
      : value_(value), path_(std::move(path)) {}

  [[nodiscard]] const nlohmann::json& value() const { return value_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  [[nodiscard]] bool has(std::string_view key) const {
    return value_.is_object() && value_.contains(key) && !value_.at(std::string{key}).is_null();
  }

  /// The member, which must be there and not be null.
  [[nodiscard]] JsonReader at(std::string_view key) const {
    if (!value_.is_object()) expected("an object");
    if (!value_.contains(key))
      core::fail(core::Status::invalid_argument, "{}: {} is missing", path_, key);
    return {value_.at(std::string{key}), path_ + "." + std::string{key}};
  }

  [[nodiscard]] std::string string() const {
    if (!value_.is_string()) expected("a string");
    return value_.get<std::string>();
  }

  [[nodiscard]] bool boolean() const {
    if (!value_.is_boolean()) expected("true or false");
    return value_.get<bool>();
  }

  /// A member that may be left out, which says no.
  [[nodiscard]] bool flag(std::string_view key) const { return has(key) && at(key).boolean(); }

  [[nodiscard]] double number() const {
    if (!value_.is_number()) expected("a number");
    return value_.get<double>();
  }

  /// Null stands for a number that is not finite, which JSON cannot write.
  [[nodiscard]] double number_or_nan() const {
    return value_.is_null() ? std::numeric_limits<double>::quiet_NaN() : number();
  }

  [[nodiscard]] std::int64_t integer() const {
    if (!value_.is_number_integer()) expected("a whole number");
    return value_.get<std::int64_t>();
  }

  [[nodiscard]] int small_integer() const {
    const std::int64_t wide = integer();
    if (wide != static_cast<int>(wide)) expected("a whole number of 32 bits");
    return static_cast<int>(wide);
  }

  /// Calls `visit(JsonReader)` for each element of an array.
  template <typename Visit>
  void for_each_element(Visit&& visit) const {
    if (!value_.is_array()) expected("an array");
    for (std::size_t i = 0; i < value_.size(); ++i)
      visit(JsonReader{value_[i], path_ + "[" + std::to_string(i) + "]"});
  }

  /// Calls `visit(name, JsonReader)` for each member of an object.
  template <typename Visit>
  void for_each_member(Visit&& visit) const {
    if (!value_.is_object()) expected("an object");
    for (const auto& [key, member] : value_.items())
      visit(key, JsonReader{member, path_ + "." + key});
  }

  /// Throws where the object has a member of another name.
  void check_members(std::initializer_list<std::string_view> known) const {
    for_each_member([&](const std::string& key, const JsonReader&) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        core::fail(core::Status::invalid_argument, "{}: {} is not known here", path_, key);
    });
  }

  [[noreturn]] void expected(std::string_view what) const {
    std::string found = value_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (found.size() > 60) found = found.substr(0, 57) + "...";
    core::fail(core::Status::invalid_argument, "{}: expected {}, found {}", path_, what, found);
  }

 private:
  const nlohmann::json& value_;
  std::string path_;
};

}  // namespace flashcore::io
