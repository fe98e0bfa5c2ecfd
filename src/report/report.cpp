#include "report/report.h"

#include <fmt/format.h>

#include "io/file.h"
#include "io/json_reader.h"
#include "report/html.h"
#include "report/page.h"
#include "report/pictures.h"

namespace flashcore::report {

namespace fs = std::filesystem;

Results read_files(const std::vector<std::string>& files) {
  Results results;
  for (const std::string& file : files) {
    const nlohmann::json document = gate::read_document(file);
    if (profile::holds_profiles(document)) {
      for (auto& record : profile::read_profiles(document, file))
        results.profiles.push_back(std::move(record));
    } else {
      for (auto& record : gate::read_results(document, file))
        results.cases.push_back(std::move(record));
    }
    results.sources.push_back({file, document.value("provenance", nlohmann::json::object())});
  }
  return results;
}

Drawn write_report(const Results& results, const fs::path& gnuplot, const fs::path& folder) {
  io::make_folder(folder, "out");
  const std::pair<const char*, std::optional<Picture>> candidates[] = {
      {"ladder: no rung was timed beside SDPA's flash backend at the mission shape",
       ladder_picture(results.cases)},
      {"roofline: nothing was timed on a GPU", roofline_picture(results.cases, results.profiles)},
      {"sweep: no three sequence lengths at one number of tokens", sweep_picture(results.cases)},
      {"latency: no two short calls were timed on a GPU", latency_picture(results.cases)},
      {"stalls: no kernel was profiled", stall_picture(results.profiles)}};
  Drawn drawn;
  std::vector<DrawnPicture> pictures;
  for (const auto& [why_not, picture] : candidates) {
    if (!picture) {
      drawn.missing.emplace_back(why_not);
      continue;
    }
    pictures.push_back({*picture, draw(*picture, gnuplot, folder)});
    drawn.files.push_back((folder / (picture->name + ".svg")).string());
  }
  const std::string page = page_of(results, pictures);
  drawn.files.push_back(write_page(page, folder));
  return drawn;
}

}  // namespace flashcore::report
