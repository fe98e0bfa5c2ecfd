// What tests of the runtime share: the fake driver (fake/libcuda.cpp), fresh for each.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "core/error.h"
#include "cuda/driver.h"
#include "fake/fake_driver.h"

namespace flashcore::cuda {

/// Set before anything asks for the driver.
inline const bool fake_is_chosen = setenv("FLASHCORE_LIBCUDA", FLASHCORE_FAKE_LIBCUDA, 1) == 0;

class Runtime : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fake_is_chosen);
    ASSERT_EQ(driver_unavailable_reason(), "");
    void* library = dlopen(FLASHCORE_FAKE_LIBCUDA, RTLD_NOW);
    ASSERT_NE(library, nullptr);
    fake_ = reinterpret_cast<FakeDriver* (*)()>(dlsym(library, "fake_driver"))();
    { const DeviceGuard retain_now(0); }
    *fake_ = FakeDriver{};
  }

  void fail_with(const char* call, api::Result failure) {
    fake_->failing_call = call;
    fake_->failure = failure;
  }

  template <typename Action>
  std::pair<core::Status, std::string> error_of(Action&& action) {
    try {
      action();
    } catch (const core::Error& error) {
      return {error.status(), error.what()};
    }
    return {core::Status::ok, ""};
  }

  FakeDriver* fake_ = nullptr;
};

}  // namespace flashcore::cuda
