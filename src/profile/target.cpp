// The process that ncu watches.
#include <dlfcn.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "bench/shape.h"
#include "gate/target.h"
#include "profile/profile.h"

namespace flashcore::profile {

namespace {

constexpr int profiled_calls = 3;

/// From its construction on the profiler watches, where one is attached.
class Watched {
 public:
  Watched() { call("cuProfilerStart"); }
  ~Watched() { call("cuProfilerStop"); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  /// In the driver, which the warm-up has loaded.
  static void call(const char* name) {
    using Function = int (*)();
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (driver == nullptr) return;
    if (const auto function = reinterpret_cast<Function>(dlsym(driver, name))) function();
    dlclose(driver);
  }
};

}  // namespace

std::vector<std::string> target_command(const dispatch::Variant& variant,
                                        const core::Problem& problem) {
  std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string(),
                                   "profile-target", std::string{variant.name}};
  std::istringstream flags(bench::flags_of(problem));
  for (std::string word; flags >> word;) command.push_back(word);
  return command;
}

void run_target(const dispatch::Variant& variant, const core::Problem& problem) {
  const gate::Target target(problem, dispatch::device_of(variant, 0), dispatch::pinned_of(variant));
  core::HostCall call = core::HostCall::random(problem, 1);
  target.run(call);
  const Watched watched;
  for (int i = 0; i < profiled_calls; ++i) target.run(call);
}

}  // namespace flashcore::profile
