// The message of the error that an action throws.
#pragma once

#include <string>

#include "core/error.h"

namespace flashcore::test {

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace flashcore::test
