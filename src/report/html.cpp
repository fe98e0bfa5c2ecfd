#include "report/html.h"

#include <fmt/format.h>

#include "io/file.h"

namespace flashcore::report {

namespace {

constexpr const char* page_style = R"(
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1180px;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption { color: #555; max-width: 60rem; }
table { border-collapse: collapse; font-size: 0.86rem; margin: 0.75rem 0; }
th, td { text-align: left; padding: 0.2rem 0.7rem 0.2rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.fail { color: #b00020; font-weight: 600; } .pass { color: #2e6b2e; }
.scroll { overflow-x: auto; } code { font-size: 0.86em; }
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #16181c; } figcaption { color: #aaa; }
  th, td { border-color: #444; } .fail { color: #ff7b86; } .pass { color: #7fc97f; }
}
)";

/// The picture with its ids made its own: gnuplot gives every SVG the same.
std::string with_own_ids(const DrawnPicture& each) {
  std::string svg = each.svg;
  for (const std::string id : {"gpPt", "gpDot", "gnuplot_canvas", "textbox", "greybox"})
    for (const std::string before : {"'", "\"", "#"})
      for (std::size_t at = 0; (at = svg.find(before + id, at)) != std::string::npos;) {
        svg.insert(at + before.size(), each.picture.name + "_");
        at += before.size() + each.picture.name.size() + 1 + id.size();
      }
  return svg;
}

}  // namespace

std::string cell(const std::string& text, bool number) {
  return fmt::format("<td{}>{}</td>", number ? " class=\"n\"" : "", escaped(text));
}

std::string header(std::initializer_list<const char*> names, std::size_t first_number) {
  std::string row = "<tr>";
  std::size_t i = 0;
  for (const char* name : names)
    row += fmt::format("<th{}>{}</th>", i++ >= first_number ? " class=\"n\"" : "", name);
  return row + "</tr>\n";
}

std::string table(const std::string& rows) {
  return "<div class=\"scroll\"><table>\n" + rows + "</table></div>\n";
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  return result;
}

std::string figure(const DrawnPicture& each) {
  return fmt::format("<h2>{}</h2>\n<figure>\n{}\n<figcaption>{}</figcaption>\n</figure>\n",
                     escaped(each.picture.title), with_own_ids(each),
                     escaped(each.picture.caption));
}

std::string document(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      escaped(title), page_style, body);
}

std::string write_page(const std::string& page, const std::filesystem::path& folder) {
  std::string path = (folder / "index.html").string();
  io::OutputFile file(path);
  file.write(page.data(), page.size());
  file.commit();
  return path;
}

}  // namespace flashcore::report
