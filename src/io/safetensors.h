// The safetensors format: a JSON header that names tensors, then their bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/array.h"
#include "io/file.h"

namespace flashcore::io {

/// An open file whose whole header was found sound: every tensor inside the file, as long as its
/// shape says, none overlapping another, no byte unclaimed. Anything else throws invalid_argument;
/// messages start with the path.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  /// In the order of their names.
  [[nodiscard]] std::vector<std::string> names() const;
  /// One tensor. Throws when there is none of that name, saying which there are, and when its dtype
  /// is not F16, BF16 or F32.
  Array read(const std::string& name) const;

 private:
  struct Entry {
    std::string dtype;
    Shape shape;
    std::int64_t begin = 0;  // bytes from the end of the header
    std::int64_t end = 0;
  };

  void parse_header(std::string_view text);
  void check_extents() const;

  InputFile file_;
  std::int64_t data_offset_ = 0;
  std::map<std::string, Entry> entries_;
};

/// Appends a whole safetensors file with these tensors.
void write_safetensors(OutputFile& file,
                       const std::vector<std::pair<std::string, ArrayView>>& tensors);

}  // namespace flashcore::io
