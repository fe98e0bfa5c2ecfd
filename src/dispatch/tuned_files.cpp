#include "dispatch/tuned_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "jit/nvrtc_search.h"

namespace flashcore::dispatch {

namespace fs = std::filesystem;
using core::fail;
using core::Status;
using nlohmann::json;

namespace {

fs::path file_of(const fs::path& folder, std::string_view gpu, std::string_view family) {
  return folder / gpu_folder(gpu) / (std::string{family} + ".jsonl");
}

/// A later record of the same Problem takes the earlier one's place.
void keep_latest(std::vector<TunedRecord>& records, TunedRecord record) {
  std::erase_if(records, [&](const TunedRecord& each) { return each.problem == record.problem; });
  records.push_back(std::move(record));
}

/// `fits`: whether a record may stand in the file.
TunedFile read_file(const fs::path& path, const std::function<bool(const TunedRecord&)>& fits) {
  TunedFile result{.path = path, .records = {}, .problems = {}};
  std::ifstream file(path);
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string place = fmt::format("{}:{}", result.path.string(), ++number);
    const json value = json::parse(line, nullptr, false);
    try {
      if (value.is_discarded()) fail(Status::invalid_argument, "{}: is not JSON", place);
      TunedRecord record = tuned_from_json(value, place);
      if (!fits(record))
        fail(Status::invalid_argument, "{}: is of {} on {}, which is not this file's", place,
             record.family, record.gpu);
      keep_latest(result.records, std::move(record));
    } catch (const core::Error& error) {
      result.problems.emplace_back(error.what());
    }
  }
  return result;
}

/// Whether a file that is open ends in the middle of a line.
bool ends_mid_line(int descriptor) {
  const off_t size = lseek(descriptor, 0, SEEK_END);
  char last = '\n';
  return size > 0 && pread(descriptor, &last, 1, size - 1) == 1 && last != '\n';
}

}  // namespace

std::string gpu_folder(std::string_view gpu) {
  std::string folder;
  for (const char c : gpu)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      folder += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!folder.empty() && folder.back() != '_')
      folder += '_';
  return folder;
}

TunedFile read_tuned(const fs::path& folder, std::string_view gpu, std::string_view family) {
  return read_file(file_of(folder, gpu, family), [&](const TunedRecord& record) {
    return record.family == family && record.gpu == gpu;
  });
}

std::vector<TunedFolder> known_tuned() {
  std::vector<TunedFolder> known;
  for (const fs::path& folder : tuned_folders()) {
    TunedFolder state{.path = folder, .records = 0, .problems = {}};
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
      if (entry.path().extension() != ".jsonl") continue;
      const TunedFile file = read_file(entry.path(), [&](const TunedRecord& record) {
        return file_of(folder, record.gpu, record.family) == entry.path();
      });
      state.records += file.records.size();
      state.problems.insert(state.problems.end(), file.problems.begin(), file.problems.end());
    }
    if (state.records > 0 || !state.problems.empty()) known.push_back(std::move(state));
  }
  return known;
}

void add_tuned(const fs::path& folder, const TunedRecord& record) {
  const fs::path path = file_of(folder, record.gpu, record.family);
  const auto check = [&](bool done) {
    if (!done) fail(Status::io, "{}: cannot be written: {}", path.string(), std::strerror(errno));
  };
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error)
    fail(Status::io, "{}: cannot be made: {}", path.parent_path().string(), error.message());
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  check(file >= 0);
  // One write, which several tuners' do not tear; behind a line that was cut off, on one of its
  // own.
  std::string line = tuned_to_json(record).dump() + '\n';
  if (ends_mid_line(file)) line.insert(line.begin(), '\n');
  const bool written = write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool closed = close(file) == 0;
  check(written && closed);
}

fs::path user_tuned_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path own = variable("FLASHCORE_TUNED"); !own.empty()) return fs::absolute(own);
  if (const fs::path xdg = variable("XDG_DATA_HOME"); xdg.is_absolute())
    return xdg / "flashcore" / "tuned";
  if (const fs::path home = variable("HOME"); home.is_absolute())
    return home / ".local" / "share" / "flashcore" / "tuned";
  return {};
}

std::vector<fs::path> tuned_folders() {
  std::vector<fs::path> folders;
  if (const fs::path own = user_tuned_folder(); !own.empty()) folders.push_back(own);
  const jit::SearchEnvironment environment = jit::process_environment();
  if (environment.variable("FLASHCORE_TUNED")) return folders;
  for (const fs::path& directory : environment.binary_directories)
    folders.push_back((directory / ".." / "share" / "flashcore" / "tuned").lexically_normal());
#ifdef FLASHCORE_INSTALLED_TUNED
  folders.emplace_back(FLASHCORE_INSTALLED_TUNED);
#endif
  return folders;
}

const std::vector<TunedFile>& tuned_files(std::string_view gpu, std::string_view family) {
  static std::mutex mutex;
  static auto* read = new std::map<std::pair<std::string, std::string>, std::vector<TunedFile>>;
  const std::scoped_lock lock(mutex);
  const auto [place, first_time] = read->try_emplace({std::string{gpu}, std::string{family}});
  if (first_time)
    for (const fs::path& folder : tuned_folders())
      if (TunedFile file = read_tuned(folder, gpu, family);
          !file.records.empty() || !file.problems.empty())
        place->second.push_back(std::move(file));
  return place->second;
}

}  // namespace flashcore::dispatch
