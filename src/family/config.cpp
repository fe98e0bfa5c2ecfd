#include "family/config.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace flashcore::family {

using core::fail;
using core::Status;

namespace {

const ConfigFields::Field* find(const ConfigFields& fields, std::string_view name) {
  const auto& all = fields.fields();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& field) { return field.first == name; });
  return found == all.end() ? nullptr : &*found;
}

ConfigFields::Field parse_field(std::string_view item) {
  const auto equals = item.find('=');
  if (equals == std::string_view::npos || equals == 0)
    fail(Status::invalid_argument, "config: '{}' is not of the form field=value", item);
  const std::string_view digits = item.substr(equals + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size())
    fail(Status::invalid_argument, "config: {} is '{}', which is not a whole number",
         item.substr(0, equals), digits);
  return {std::string{item.substr(0, equals)}, value};
}

}  // namespace

std::int64_t ConfigFields::at(std::string_view field) const {
  const Field* found = find(*this, field);
  if (found == nullptr) fail(Status::invalid_argument, "config: no field {}", field);
  return found->second;
}

void ConfigFields::set(std::string_view field, std::int64_t value) {
  for (auto& [name, held] : fields_)
    if (name == field) {
      held = value;
      return;
    }
  fail(Status::invalid_argument, "config: no field {}", field);
}

std::string ConfigFields::to_string() const {
  std::string text;
  for (const auto& [name, value] : fields_) {
    if (!text.empty()) text += ',';
    text += name + '=' + std::to_string(value);
  }
  return text;
}

ConfigFields ConfigFields::parse(std::string_view text) {
  ConfigFields fields;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto [name, value] = parse_field(text.substr(0, comma));
    if (find(fields, name) != nullptr)
      fail(Status::invalid_argument, "config: {} is given twice", name);
    fields.add(name, value);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) fail(Status::invalid_argument, "config: ends in a comma");
  }
  return fields;
}

namespace {

void check_known(const ConfigFields& given, const ConfigFields& expected) {
  for (const auto& [name, value] : given.fields())
    if (find(expected, name) == nullptr)
      fail(Status::invalid_argument, "config: unknown field {}; the fields are {}", name,
           expected.to_string());
}

}  // namespace

ConfigFields overlaid(ConfigFields base, const ConfigFields& given) {
  check_known(given, base);
  for (const auto& [name, value] : given.fields()) base.set(name, value);
  return base;
}

ConfigFields merged(ConfigFields first, const ConfigFields& second) {
  for (const auto& [name, value] : second.fields())
    if (find(first, name) != nullptr)
      first.set(name, value);
    else
      first.add(name, value);
  return first;
}

void check_field_names(const ConfigFields& given, const ConfigFields& expected) {
  check_known(given, expected);
  for (const auto& [name, value] : expected.fields())
    if (find(given, name) == nullptr)
      fail(Status::invalid_argument, "config: field {} is missing", name);
}

void fail_field_range(std::string_view field, std::int64_t value) {
  fail(Status::invalid_argument, "config: {} = {} does not fit the field's type", field, value);
}

}  // namespace flashcore::family
