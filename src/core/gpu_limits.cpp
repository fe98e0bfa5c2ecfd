#include "core/gpu_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"

namespace flashcore::core {

std::string Arch::to_string() const {
  return fmt::format("sm_{}{}", number(), specific ? "a" : "");
}

std::optional<Arch> arch_from_name(std::string_view text) {
  if (!text.starts_with("sm_")) return std::nullopt;
  text.remove_prefix(3);
  Arch arch;
  if (text.ends_with('a')) {
    arch.specific = true;
    text.remove_suffix(1);
  }
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 10 || number > 999)
    return std::nullopt;
  arch.major = number / 10;
  arch.minor = number % 10;
  return arch;
}

Arch known_arch(std::string_view text) {
  const auto arch = arch_from_name(text);
  if (!arch || std::find(known_archs.begin(), known_archs.end(), *arch) == known_archs.end())
    fail(Status::invalid_argument, "arch: '{}' is none of {}", text, known_arch_names());
  return *arch;
}

std::string known_arch_names() {
  std::string names;
  for (const Arch arch : known_archs) names += (names.empty() ? "" : ", ") + arch.to_string();
  return names;
}

GpuLimits limits_of(Arch arch) {
  constexpr int kib = 1024;
  GpuLimits limits{.arch = arch};
  switch (arch.number()) {
    case 80:
    case 87:
      limits.multiprocessors = arch.minor == 0 ? 108 : 16;
      limits.shared_bytes_per_block = 163 * kib;
      limits.shared_bytes_per_multiprocessor = 164 * kib;
      break;
    case 86:
    case 89:
      limits.multiprocessors = arch.minor == 6 ? 84 : 142;
      limits.shared_bytes_per_block = 99 * kib;
      limits.shared_bytes_per_multiprocessor = 100 * kib;
      limits.max_threads_per_multiprocessor = 1536;
      break;
    case 90:
      limits.multiprocessors = 132;
      limits.shared_bytes_per_block = 227 * kib;
      limits.shared_bytes_per_multiprocessor = 228 * kib;
      break;
    default: fail(Status::unsupported, "arch: {} is not one that is known", arch.to_string());
  }
  return limits;
}

}  // namespace flashcore::core
