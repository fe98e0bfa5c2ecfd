#include "jit/include_closure.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "core/error.h"
#include "jit/lines.h"

namespace flashcore::jit {
namespace {

std::string_view skip_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

struct Include {
  std::string_view name;  // empty for a line that is no #include
  bool angled = false;    // <name>, not "name"
};

Include parse_include(std::string_view line) {
  line = skip_blanks(line);
  if (!line.starts_with('#')) return {};
  line = skip_blanks(line.substr(1));
  if (!line.starts_with("include")) return {};
  line = skip_blanks(line.substr(std::string_view("include").size()));
  if (line.empty() || (line[0] != '"' && line[0] != '<')) return {};
  const bool angled = line[0] == '<';
  const auto end = line.find(angled ? '>' : '"', 1);
  if (end == std::string_view::npos) return {};
  return {line.substr(1, end - 1), angled};
}

class Closure {
 public:
  Closure(std::span<const EmbeddedSource> sources, std::string_view first_folder)
      : sources_(sources), first_folder_(first_folder) {}

  /// Whether there is such a source; it and what it includes are now in the closure.
  bool add(std::string_view path) {
    const auto found = std::find_if(sources_.begin(), sources_.end(),
                                    [&](const auto& source) { return source.path == path; });
    if (found == sources_.end()) return false;
    if (!reached_.emplace(found->path, *found).second) return true;
    for_each_line(found->text, [&](std::string_view line, std::size_t) {
      if (const auto include = parse_include(line); !include.name.empty())
        add_included(found->path, include);
    });
    return true;
  }

  [[nodiscard]] IncludeClosure sorted() const {
    IncludeClosure closure;
    for (const auto& [path, source] : reached_) closure.sources.push_back(source);
    closure.external.assign(external_.begin(), external_.end());
    return closure;
  }

 private:
  /// Names are rooted at kernels/; the compiler would also find a "name" beside the including file,
  /// and one found in neither place is an error that it reports.
  void add_included(std::string_view from, const Include& include) {
    const bool rooted = add_from_folders(std::string{include.name});
    if (include.angled && !rooted) external_.emplace(include.name);
    if (!include.angled)
      add((std::filesystem::path(from).parent_path() / include.name).lexically_normal().string());
  }

  bool add_from_folders(const std::string& name) {
    if (!first_folder_.empty() && add(std::string{first_folder_} + '/' + name)) return true;
    return add(name);
  }

  std::span<const EmbeddedSource> sources_;
  std::string_view first_folder_;
  std::map<std::string_view, EmbeddedSource> reached_;
  std::set<std::string> external_;
};

}  // namespace

IncludeClosure include_closure(std::string_view entry, std::span<const EmbeddedSource> sources,
                               std::string_view first_folder) {
  Closure closure(sources, first_folder);
  if (!closure.add(entry))
    core::fail(core::Status::invalid_argument, "kernel: no source {} among the {} embedded ones",
               entry, sources.size());
  return closure.sorted();
}

}  // namespace flashcore::jit
