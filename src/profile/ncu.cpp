#include "profile/ncu.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/error.h"
#include "io/process.h"

namespace flashcore::profile {

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::vector<std::string> ncu_command(const std::filesystem::path& ncu,
                                     const std::vector<std::string>& command,
                                     const std::vector<std::string>& metrics, bool from_start) {
  std::vector<std::string> words{ncu.string(),    "--csv", "--page",          "raw",
                                 "--print-units", "base",  "--clock-control", "none"};
  if (!from_start) words.insert(words.end(), {"--profile-from-start", "off"});
  words.insert(words.end(), {"--metrics", fmt::format("{}", fmt::join(metrics, ","))});
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

/// Metrics that an error or a warning of ncu names, as asked for or without their ".avg.…".
std::vector<std::string> complained_about(const std::string& output,
                                          const std::vector<std::string>& metrics) {
  std::vector<std::string> named;
  for (const std::string& line : io::lines_of(output)) {
    if (!line.starts_with("==ERROR==") && !line.starts_with("==WARNING==")) continue;
    for (const std::string& metric : metrics) {
      const bool found =
          contains(line, metric) || contains(line, metric.substr(0, metric.find('.')));
      if (found && std::find(named.begin(), named.end(), metric) == named.end())
        named.push_back(metric);
    }
  }
  return named;
}

/// The last complaint of ncu, or else the last line that anyone wrote.
std::string last_words(const std::string& output) {
  std::string last, error;
  for (const std::string& line : io::lines_of(output)) {
    if (!line.empty()) last = line;
    if (line.starts_with("flashcore:") || (line.starts_with("==ERROR==") && error.empty()))
      error = line;
  }
  const std::string& words = error.empty() ? last : error;
  return words.empty() ? "it said nothing" : words.substr(0, 300);
}

/// Throws where the run as a whole is worth nothing.
void check_run(const io::ProcessResult& result, std::chrono::duration<double> limit) {
  if (result.stopped)
    throw NotMeasured(fmt::format("ncu was not done within {:g} s and was stopped", limit.count()));
  if (contains(result.output, "ERR_NVGPUCTRPERM"))
    throw NotMeasured(
        "the driver refuses its performance counters to this user (ERR_NVGPUCTRPERM; an "
        "administrator may allow them)");
  if (result.exit_code < 0)
    throw NotMeasured(
        fmt::format("ncu ended by signal {}: {}", -result.exit_code, last_words(result.output)));
  if (result.exit_code != 0)
    throw NotMeasured(
        fmt::format("ncu ended with status {}: {}", result.exit_code, last_words(result.output)));
}

}  // namespace

std::filesystem::path find_ncu() {
  std::vector<std::string> patterns{"/usr/local/cuda/bin/ncu", "/usr/local/cuda-*/bin/ncu",
                                    "/opt/nvidia/nsight-compute/*/ncu",
                                    "/usr/local/NVIDIA-Nsight-Compute*/ncu"};
  if (const char* home = std::getenv("CUDA_HOME"); home != nullptr)
    patterns.front() = std::string{home} + "/bin/ncu";
  std::filesystem::path found = io::find_program("ncu", patterns);
  if (found.empty())
    throw NotMeasured(fmt::format("Nsight Compute's ncu is neither in PATH nor one of {}",
                                  fmt::join(patterns, ", ")));
  return found;
}

NcuRun run_ncu(const std::filesystem::path& ncu, const std::vector<std::string>& command,
               std::vector<std::string> metrics, std::chrono::duration<double> limit) {
  NcuRun run;
  bool from_start = false;
  constexpr int most_attempts = 5;
  for (int attempt = 1;; ++attempt) {
    const io::ProcessResult result =
        io::run_process(ncu_command(ncu, command, metrics, from_start), limit);
    const std::vector<std::string> unknown = complained_about(result.output, metrics);
    const bool nothing = contains(result.output, "No kernels were profiled");
    if (attempt < most_attempts && !unknown.empty() && unknown.size() < metrics.size() &&
        (!result.succeeded() || nothing)) {
      for (const std::string& metric : unknown) std::erase(metrics, metric);
      run.not_available.insert(run.not_available.end(), unknown.begin(), unknown.end());
      continue;
    }
    check_run(result, limit);
    if (nothing && !from_start) {
      from_start = true;
      continue;
    }
    if (nothing) throw NotMeasured("ncu saw no kernel: " + last_words(result.output));
    try {
      run.samples = parse_ncu_csv(result.output);
    } catch (const core::Error& error) {
      throw NotMeasured(fmt::format("what ncu printed is not its CSV: {}", error.what()));
    }
    return run;
  }
}

}  // namespace flashcore::profile
