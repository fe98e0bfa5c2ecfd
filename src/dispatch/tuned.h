// Tuned records: which Config of a family was measured to be best for a Problem on a GPU, and the
// look-up that says how well its answer fits.
//
// A folder of records holds <gpu>/<family>.jsonl, one JSON object a line; of two lines for the same
// Problem the later one counts.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "family/config.h"
#include "family/family.h"

namespace flashcore::dispatch {

struct TunedRecord {
  std::string family;
  core::Problem problem;
  family::ConfigFields config;
  std::string gpu;  // by its name
  std::string arch, driver, nvrtc;
  std::string source_hash;  // of the Config's kernels: source_hash()
  double time_us = 0;       // cold, the median
  double noise = 0;         // how far that may be off, as a fraction
  double default_us = 0;    // of the default Config in the same rounds
  std::string date, commit;
};

nlohmann::json tuned_to_json(const TunedRecord& record);
/// Throws invalid_argument naming the place, for unknown members too.
TunedRecord tuned_from_json(const nlohmann::json& json, const std::string& path);

/// Of what a Config's kernels are made of, on an architecture: 16 hexadecimal digits.
std::string source_hash(const family::Family& family, const family::ConfigFields& config,
                        core::Arch arch);

/// A GPU's name as a folder's: "nvidia_h100_80gb_hbm3".
std::string gpu_folder(std::string_view gpu);

/// What a file holds, and what of it cannot be used.
struct TunedFile {
  std::filesystem::path path;
  std::vector<TunedRecord> records;
  std::vector<std::string> problems;  // "path:3: speed is not known here"
};
/// The file of a family and a GPU in a folder; with no records where there is none.
TunedFile read_tuned(const std::filesystem::path& folder, std::string_view gpu,
                     std::string_view family);

/// Adds a record to its file in a folder, which is made where it is not; what the file holds stays
/// as it is. Throws io.
void add_tuned(const std::filesystem::path& folder, const TunedRecord& record);

/// The user's own folder: $FLASHCORE_TUNED, or $XDG_DATA_HOME/flashcore/tuned, or
/// ~/.local/share/flashcore/tuned; empty where there is none of the three.
std::filesystem::path user_tuned_folder();
/// The user's, then those that were shipped; $FLASHCORE_TUNED alone where it is set.
std::vector<std::filesystem::path> tuned_folders();

/// What a folder holds, over all GPUs and families.
struct TunedFolder {
  std::filesystem::path path;
  std::size_t records = 0;
  std::vector<std::string> problems;
};
/// Those of tuned_folders() that hold anything.
std::vector<TunedFolder> known_tuned();

enum class TunedMatch { exact, nearest, none };

struct TunedAnswer {
  TunedMatch match = TunedMatch::none;
  family::ConfigFields config;  // where there is a match
  double distance = 0;          // of the record's Problem
  std::string reason;           // "tuned for exactly this Problem"; why none where there is none
};

/// How far a Problem is from the one that was tuned for: the doublings by which the number of
/// heads, the queries and the keys differ, added up. Empty where one says nothing of the other:
/// another dtype, head_dim, mask or number of queries' heads to a keys' head.
std::optional<double> tuned_distance(const core::Problem& tuned, const core::Problem& asked);

/// Beyond it a record is not used.
inline constexpr double farthest_tuned = 2;

/// The nearest record of the GPU whose sources are unchanged and whose Config serves the Problem.
TunedAnswer find_tuned(std::span<const TunedRecord> records, const family::Family& family,
                       const core::Problem& problem, std::string_view gpu,
                       const core::GpuLimits& limits);

/// The same over every folder; each file is read once in the life of the process.
TunedAnswer find_tuned(const family::Family& family, const core::Problem& problem,
                       std::string_view gpu, const core::GpuLimits& limits);

}  // namespace flashcore::dispatch
