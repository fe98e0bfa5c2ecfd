// The page around the pictures: tables of the numbers, where they come from.
#pragma once

#include <span>
#include <string>

#include "report/plot.h"
#include "report/report.h"

namespace flashcore::report {

struct DrawnPicture {
  Picture picture;
  std::string svg;
};

/// Text with &, <, > and quotes as HTML wants them.
std::string escaped(const std::string& text);

/// A whole HTML document; nothing in it refers to another file.
std::string page_of(const Results& results, std::span<const DrawnPicture> pictures);

}  // namespace flashcore::report
