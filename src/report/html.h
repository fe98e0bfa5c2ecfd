// What the pages are made of.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>

#include "report/plot.h"

namespace flashcore::report {

struct DrawnPicture {
  Picture picture;
  std::string svg;
};

/// Text with &, <, > and quotes as HTML wants them.
std::string escaped(const std::string& text);

/// A cell of a table, its text escaped; numbers go right.
std::string cell(const std::string& text, bool number = false);
/// The row of headings; those from `first_number` on go right.
std::string header(std::initializer_list<const char*> names, std::size_t first_number);
/// Rows as a table that scrolls where it is too wide.
std::string table(const std::string& rows);

/// A picture under its title, with its caption; its ids are its own.
std::string figure(const DrawnPicture& picture);

/// A whole HTML document, for light and for dark screens; nothing in it refers to another file.
std::string document(const std::string& title, const std::string& body);

/// Writes a document as the folder's index.html, whole or not at all, and returns its path. Throws
/// io.
std::string write_page(const std::string& page, const std::filesystem::path& folder);

}  // namespace flashcore::report
