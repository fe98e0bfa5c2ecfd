// A Config's one field list, read by everything that prints, parses, hashes or compiles it.
//
// A family's Config is a plain aggregate with, beside it, a constexpr
//   template <typename C, typename V> constexpr void for_each_field(C& config, V&& visit)
// that calls visit("name", config.name) for each field in order of declaration. Fields are ints,
// bools and enums.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace flashcore::family {

/// A Config by field name, in order of declaration: the form in which tools that know no family
/// (tuner, dispatcher, CLI, records) carry one.
class ConfigFields {
 public:
  using Field = std::pair<std::string, std::int64_t>;

  void add(std::string_view field, std::int64_t value) { fields_.emplace_back(field, value); }
  /// Throws for a field that is not there.
  [[nodiscard]] std::int64_t at(std::string_view field) const;
  void set(std::string_view field, std::int64_t value);

  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  bool operator==(const ConfigFields&) const = default;

  /// "head_dim=64,block_q=32"
  [[nodiscard]] std::string to_string() const;
  /// The inverse. Throws on anything that to_string would not write.
  static ConfigFields parse(std::string_view text);

 private:
  std::vector<Field> fields_;
};

template <typename Config>
ConfigFields to_fields(const Config& config) {
  ConfigFields fields;
  for_each_field(config, [&](std::string_view field, const auto& value) {
    fields.add(field, static_cast<std::int64_t>(value));
  });
  return fields;
}

/// `base` with the fields that are given in their place. Throws for a field that base has not.
ConfigFields overlaid(ConfigFields base, const ConfigFields& given);

/// The fields of either, with the second's value where both have one.
ConfigFields merged(ConfigFields first, const ConfigFields& second);

/// Throws when a field is missing or unknown, or a value does not fit its field's type.
void check_field_names(const ConfigFields& given, const ConfigFields& expected);
[[noreturn]] void fail_field_range(std::string_view field, std::int64_t value);

template <typename Config>
Config from_fields(const ConfigFields& fields) {
  Config config{};
  check_field_names(fields, to_fields(config));
  for_each_field(config, [&](std::string_view field, auto& value) {
    using Value = std::remove_reference_t<decltype(value)>;
    const std::int64_t given = fields.at(field);
    value = static_cast<Value>(given);
    if (static_cast<std::int64_t>(value) != given) fail_field_range(field, given);
  });
  return config;
}

/// The Config as a C++ expression with designated initialisers, for an NVRTC name expression:
/// `type_name{.head_dim=64,.element=static_cast<E>(1)}`.
template <typename Config>
std::string to_literal(std::string_view type_name, const Config& config) {
  std::string text{type_name};
  text += '{';
  for_each_field(config, [&](std::string_view field, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if (text.back() != '{') text += ',';
    const std::string number = std::to_string(static_cast<std::int64_t>(value));
    text += '.';
    text += field;
    text += '=';
    if constexpr (std::is_enum_v<Value>)
      text +=
          "decltype(" + std::string{type_name} + "::" + std::string{field} + ")(" + number + ')';
    else if constexpr (std::is_same_v<Value, bool>)
      text += value ? "true" : "false";
    else
      text += number;
  });
  return text + '}';
}

}  // namespace flashcore::family
