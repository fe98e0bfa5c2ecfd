#include "jit/include_closure.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "jit/lines.h"

namespace flashcore::jit {
namespace {

std::string_view skip_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

/// The name in an #include line; empty for any other line.
std::string_view included_name(std::string_view line) {
  line = skip_blanks(line);
  if (!line.starts_with('#')) return {};
  line = skip_blanks(line.substr(1));
  if (!line.starts_with("include")) return {};
  line = skip_blanks(line.substr(std::string_view("include").size()));
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return {};
  const auto end = line.find(line[0] == '"' ? '"' : '>', 1);
  return end == std::string_view::npos ? std::string_view{} : line.substr(1, end - 1);
}

class Closure {
 public:
  explicit Closure(std::span<const EmbeddedSource> sources) : sources_(sources) {}

  /// Whether there is such a source; it and what it includes are now in the closure.
  bool add(std::string_view path) {
    const auto found = std::find_if(sources_.begin(), sources_.end(),
                                    [&](const auto& source) { return source.path == path; });
    if (found == sources_.end()) return false;
    if (!reached_.emplace(found->path, *found).second) return true;
    for_each_line(found->text, [&](std::string_view line, std::size_t) {
      if (const auto name = included_name(line); !name.empty()) add_included(found->path, name);
    });
    return true;
  }

  [[nodiscard]] std::vector<EmbeddedSource> sorted() const {
    std::vector<EmbeddedSource> all;
    for (const auto& [path, source] : reached_) all.push_back(source);
    return all;
  }

 private:
  /// Names are rooted at kernels/; the compiler would also find one beside the including file. A
  /// name found in neither place is the toolkit's, or an error that the compiler reports.
  void add_included(std::string_view from, std::string_view name) {
    add(name);
    add((std::filesystem::path(from).parent_path() / name).lexically_normal().string());
  }

  std::span<const EmbeddedSource> sources_;
  std::map<std::string_view, EmbeddedSource> reached_;
};

}  // namespace

std::vector<EmbeddedSource> include_closure(std::string_view entry,
                                            std::span<const EmbeddedSource> sources) {
  Closure closure(sources);
  if (!closure.add(entry))
    core::fail(core::Status::invalid_argument, "kernel: no source {} among the {} embedded ones",
               entry, sources.size());
  return closure.sorted();
}

}  // namespace flashcore::jit
