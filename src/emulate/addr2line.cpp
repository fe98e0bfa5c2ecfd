#include "emulate/addr2line.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/process.h"

namespace flashcore::emulate {

namespace {

constexpr std::chrono::seconds lines_limit{20};

struct Place {
  std::string file;           // the shared object's
  std::uintptr_t offset = 0;  // of the call, which lies before the address it returns to
};

Place place_of(const void* return_address) {
  const auto address = reinterpret_cast<std::uintptr_t>(return_address);
  Dl_info info{};
  if (dladdr(return_address, &info) == 0 || info.dli_fname == nullptr) return {"", address};
  return {info.dli_fname, address - reinterpret_cast<std::uintptr_t>(info.dli_fbase) - 1};
}

std::string unknown(const Place& place) {
  return place.file.empty() ? fmt::format("{:#x}", place.offset)
                            : fmt::format("module+{:#x}", place.offset);
}

/// "file:line (discriminator 3)" as "file:line".
std::string without_discriminator(const std::string& line) {
  return line.substr(0, line.find(" ("));
}

/// Of the lines of inlined functions, from the innermost out, what tells a reader most: the first
/// that is not the emulator's own, and where it is one of a helper that many kernels call, the line
/// that called it. Empty where none is known.
std::string name_of(const std::vector<std::string>& frames) {
  const auto is_in = [](const std::string& frame, std::string_view folder) {
    return frame.find(folder) != std::string::npos;
  };
  std::string name;
  for (const std::string& frame : frames) {
    if (frame.starts_with("??") || is_in(frame, "kernels/host/")) continue;
    if (name.empty())
      name = without_discriminator(frame);
    else if (is_in(frame, "kernels/device/"))
      continue;
    else
      name += " (from " + without_discriminator(frame) + ')';
    if (!is_in(frame, "kernels/device/")) break;
  }
  return name;
}

/// What addr2line says of offsets into one file, in their order; empty where it says nothing.
std::vector<std::string> ask(const std::string& file, const std::vector<std::uintptr_t>& offsets) {
  static const std::string program = io::find_program("addr2line").string();
  if (program.empty() || file.empty()) return {};
  // -a: each address, and after it, -i, the lines of the functions inlined there.
  std::vector<std::string> command{program, "-a", "-i", "-e", file};
  for (const std::uintptr_t offset : offsets) command.push_back(fmt::format("{:#x}", offset));
  try {
    const io::ProcessResult result = io::run_process(command, lines_limit);
    std::vector<std::vector<std::string>> frames;
    for (std::string& line : io::lines_of(result.output)) {
      if (line.starts_with("0x"))
        frames.emplace_back();
      else if (!frames.empty())
        frames.back().push_back(std::move(line));
    }
    if (!result.succeeded() || frames.size() != offsets.size()) return {};
    std::vector<std::string> names;
    for (const auto& each : frames) names.push_back(name_of(each));
    return names;
  } catch (const core::Error&) {  // it could not be started: as good as not installed
    return {};
  }
}

}  // namespace

std::vector<std::string> source_lines(std::span<const void* const> return_addresses) {
  std::vector<Place> places;
  std::map<std::string, std::vector<std::size_t>> by_file;
  for (const void* address : return_addresses) {
    places.push_back(place_of(address));
    by_file[places.back().file].push_back(places.size() - 1);
  }
  std::vector<std::string> found;
  for (const Place& place : places) found.push_back(unknown(place));
  for (const auto& [file, indices] : by_file) {
    std::vector<std::uintptr_t> offsets;
    for (const std::size_t index : indices) offsets.push_back(places[index].offset);
    const std::vector<std::string> lines = ask(file, offsets);
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (!lines[i].empty()) found[indices[i]] = lines[i];
  }
  return found;
}

std::string source_line(const void* return_address) {
  return source_lines({&return_address, 1}).front();
}

}  // namespace flashcore::emulate
