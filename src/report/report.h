// Result files as pictures and one page that needs nothing else.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gate/record.h"
#include "profile/profile.h"

namespace flashcore::report {

/// What the files hold together.
struct Results {
  std::vector<gate::CaseRecord> cases;
  std::vector<profile::ProfileRecord> profiles;
  struct Source {
    std::string file;
    nlohmann::json provenance;
  };
  std::vector<Source> sources;
};

/// Throws io or invalid_argument, naming the file and the place.
Results read_files(const std::vector<std::string>& files);

struct Drawn {
  std::vector<std::string> files;    // what was written, the page last
  std::vector<std::string> missing;  // pictures that the results hold nothing for
};

/// Draws what the results allow into the folder, which is made where it is not, and writes
/// index.html with the pictures inside. Throws io where something cannot be written or drawn.
Drawn write_report(const Results& results, const std::filesystem::path& gnuplot,
                   const std::filesystem::path& folder);

}  // namespace flashcore::report
