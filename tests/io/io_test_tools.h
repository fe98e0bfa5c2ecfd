// What tests of the readers and writers share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/error.h"
#include "io/array.h"

namespace flashcore::test {

/// The message of the core::Error that `action` throws; "no error" when it throws none.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "no error";
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << '"' << text << "\" does not contain \"" << part << '"';
}

/// An array's elements as they lie in memory.
inline std::string_view bytes_of(const io::Array& array) {
  return {reinterpret_cast<const char*>(array.tensor.data()), array.tensor.bytes()};
}

}  // namespace flashcore::test
