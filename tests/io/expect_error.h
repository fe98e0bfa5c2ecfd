// What a failing reader says.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"

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

}  // namespace flashcore::test
