// Pictures by gnuplot.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace flashcore::report {

/// gnuplot in PATH; empty where it is not.
std::filesystem::path find_gnuplot();

/// One contender's line or points.
struct Curve {
  std::string label;
  std::string style;                              // gnuplot's, as "lw 2 lc rgb '#0b5fa5' pt 7"
  std::vector<std::pair<double, double>> points;  // sorted by x
};

/// A picture: what gnuplot is told after the terminal is set.
struct Picture {
  std::string name;   // of its files: "roofline"
  std::string title;  // on the page
  std::string caption;
  int width = 900, height = 560;
  std::string script;
};

/// A text in gnuplot's single quotes.
std::string quoted(const std::string& text);

/// A data block of a name, "$name << EOD …", one line for each point.
std::string data_block(const std::string& name,
                       const std::vector<std::pair<double, double>>& points);

/// Writes name.gp, runs gnuplot on it, and returns the SVG that it left in name.svg. Throws io
/// where the folder cannot be written or gnuplot fails, with its words.
std::string draw(const Picture& picture, const std::filesystem::path& gnuplot,
                 const std::filesystem::path& folder);

}  // namespace flashcore::report
