// Families as the parameters of tests, named so that a test's name is the same in every run.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "family/family.h"

namespace flashcore::family {

/// Found by gtest, which would print the address.
inline void PrintTo(const Family* family, std::ostream* stream) {
  *stream << family->name();
}

}  // namespace flashcore::family

namespace flashcore::test {

inline std::string family_name(const ::testing::TestParamInfo<const family::Family*>& info) {
  return std::string{info.param->name()};
}

}  // namespace flashcore::test
