#include "report/plot.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "core/error.h"
#include "io/file.h"
#include "io/process.h"

namespace flashcore::report {

namespace fs = std::filesystem;

fs::path find_gnuplot() {
  return io::find_program("gnuplot");
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';  // doubled inside single quotes
    result += c == '\n' ? ' ' : c;
  }
  return result + "'";
}

std::string data_block(const std::string& name,
                       const std::vector<std::pair<double, double>>& points) {
  std::string text = fmt::format("${} << EOD\n", name);
  for (const auto& [x, y] : points) text += fmt::format("{:.9g} {:.9g}\n", x, y);
  return text + "EOD\n";
}

std::string draw(const Picture& picture, const fs::path& gnuplot, const fs::path& folder) {
  constexpr std::chrono::seconds limit{60};
  const fs::path script = folder / (picture.name + ".gp");
  const fs::path svg = folder / (picture.name + ".svg");
  const std::string text = fmt::format(
      "set terminal svg size {},{} dynamic noenhanced font 'Helvetica,14' background '#ffffff' "
      "name {}\nset output {}\nset title {}\n{}",
      picture.width, picture.height, quoted(picture.name), quoted(svg.string()),
      quoted(picture.title), picture.script);
  io::OutputFile file(script.string());
  file.write(text.data(), text.size());
  file.commit();
  const io::ProcessResult result = io::run_process({gnuplot.string(), script.string()}, limit);
  if (!result.succeeded())
    core::fail(core::Status::io, "gnuplot could not draw {}: {}", script.string(),
               result.output.substr(0, 300));
  std::ifstream stream(svg);
  std::ostringstream drawn;
  drawn << stream.rdbuf();
  const auto start = drawn.str().find("<svg");
  if (start == std::string::npos)
    core::fail(core::Status::io, "gnuplot left no picture in {}", svg.string());
  return drawn.str().substr(start);
}

}  // namespace flashcore::report
