// The page around the pictures: tables of the numbers, where they come from.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "report/html.h"
#include "report/report.h"

namespace flashcore::report {

/// Cases with their peers and gates; empty where there are none.
std::string case_table(const std::vector<gate::CaseRecord>& cases);

/// Which file, run when, on what, by which command.
std::string source_table(const std::vector<Results::Source>& sources);

/// A whole HTML document.
std::string page_of(const Results& results, std::span<const DrawnPicture> pictures);

}  // namespace flashcore::report
