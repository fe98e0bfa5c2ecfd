#include "bench/provenance.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "build_commit.h"
#include "cpu/backend.h"
#include "cuda/driver.h"
#include "jit/compiler.h"

namespace flashcore::bench {

using nlohmann::json;

namespace {

/// The first line that a shell command writes; empty where it fails, which a missing program does.
std::optional<std::string> first_line_of(const std::string& command) {
  const auto stream = popen(("timeout 10 " + command + " 2>/dev/null").c_str(), "r");
  if (stream == nullptr) return std::nullopt;
  std::string line;
  std::array<char, 1024> bytes{};
  while (std::fgets(bytes.data(), bytes.size(), stream) != nullptr) line += bytes.data();
  if (pclose(stream) != 0) return std::nullopt;
  return line.substr(0, line.find('\n'));
}

json or_null(const std::optional<std::string>& text) {
  return text ? json(*text) : json(nullptr);
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

json cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return nullptr;
}

/// Of the tree that this program was built from.
json commit() {
  const std::string id = build_commit;
  if (id.empty()) return {{"id", nullptr}, {"dirty", nullptr}};
  return {{"id", id}, {"dirty", build_dirty}};
}

json gpu() {
  if (cuda::device_count() == 0) return {{"absent", cuda::driver_unavailable_reason()}};
  const cuda::DeviceInfo& info = cuda::device_info(0);
  return {{"name", info.name},
          {"uuid", info.uuid},
          {"arch", info.limits.arch.to_string()},
          {"multiprocessors", info.limits.multiprocessors},
          {"l2_bytes", info.l2_bytes},
          {"clock_mhz", info.clock_khz / 1000},
          {"cuda_driver", cuda::driver_version()},
          {"driver",
           or_null(first_line_of("nvidia-smi --query-gpu=driver_version --format=csv,noheader"))}};
}

}  // namespace

json run_provenance(std::span<const std::string> command_line) {
  const auto [major, minor] = jit::compiler_version();
  return {
      {"date", now_utc()},
      {"command_line", std::vector<std::string>(command_line.begin(), command_line.end())},
      {"commit", commit()},
      {"cpu",
       {{"model", cpu_model()}, {"simd", cpu::simd_target()}, {"threads", cpu::thread_count()}}},
      {"gpu", gpu()},
      {"nvrtc",
       jit::compiler_available() ? json(fmt::format("{}.{}", major, minor)) : json(nullptr)}};
}

json gpu_state(int ordinal) {
  if (cuda::device_count() == 0) return nullptr;
  const auto line = first_line_of(
      fmt::format("nvidia-smi -i {} --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw "
                  "--format=csv,noheader,nounits",
                  cuda::device_info(ordinal).uuid));
  if (!line) return nullptr;
  json state;
  constexpr std::array<const char*, 4> keys{"sm_mhz", "memory_mhz", "celsius", "watts"};
  std::string_view rest = *line;
  for (const char* key : keys) {
    const auto comma = rest.find(", ");
    const std::string field{rest.substr(0, comma)};
    double value = 0;
    state[key] = std::sscanf(field.c_str(), "%lf", &value) == 1 ? json(value) : json(nullptr);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 2);
  }
  return state;
}

}  // namespace flashcore::bench
