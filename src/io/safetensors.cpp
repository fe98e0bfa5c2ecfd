#include "io/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"

namespace flashcore::io {

namespace {

using core::Dtype;
using core::Status;
using nlohmann::json;

constexpr std::int64_t length_bytes = 8;  // of the header's length, little-endian
constexpr int deepest_header = 8;
constexpr std::int64_t longest_safetensors_header = 100'000'000;  // the format's own limit

std::optional<Dtype> dtype_from_format(std::string_view name) {
  if (name == "F16") return Dtype::float16;
  if (name == "BF16") return Dtype::bfloat16;
  if (name == "F32") return Dtype::float32;
  return std::nullopt;
}

std::string_view format_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return "F16";
    case Dtype::bfloat16: return "BF16";
    case Dtype::float32: break;
  }
  return "F32";
}

/// Nothing for a dtype this reader has not heard of: such a tensor may stand beside the wanted
/// ones.
std::optional<std::size_t> element_bytes(std::string_view dtype) {
  static constexpr std::array<std::pair<std::string_view, std::size_t>, 14> known{{{"BOOL", 1},
                                                                                   {"U8", 1},
                                                                                   {"I8", 1},
                                                                                   {"F8_E4M3", 1},
                                                                                   {"F8_E5M2", 1},
                                                                                   {"U16", 2},
                                                                                   {"I16", 2},
                                                                                   {"F16", 2},
                                                                                   {"BF16", 2},
                                                                                   {"U32", 4},
                                                                                   {"I32", 4},
                                                                                   {"F32", 4},
                                                                                   {"F64", 8},
                                                                                   {"I64", 8}}};
  for (const auto& [name, bytes] : known)
    if (name == dtype) return bytes;
  return std::nullopt;
}

/// Parses JSON in which no object may hold a key twice: nlohmann-json alone would keep the last.
json parse_unambiguous(const std::string& path, std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest_header)  // before a hostile one fills the memory
      core::fail(Status::invalid_argument, "{}: the header nests deeper than {} levels", path,
                 deepest_header);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      core::fail(Status::invalid_argument, "{}: the header has the key {:?} twice", path,
                 parsed.get<std::string>());
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception& error) {
    core::fail(Status::invalid_argument, "{}: the header is not JSON: {}", path, error.what());
  }
}

/// The array of non-negative integers under `key`, `count` of them where that is given.
Shape integers(const std::string& where, const json& entry, const char* key,
               std::optional<std::size_t> count = std::nullopt) {
  const auto found = entry.find(key);
  bool sound = found != entry.end() && found->is_array() && (!count || found->size() == *count);
  if (sound)
    for (const json& value : *found)
      sound = sound && value.is_number_unsigned() && value.get<std::uint64_t>() <= INT64_MAX;
  if (!sound)
    core::fail(Status::invalid_argument, "{}: {} is {}, not a list of {}integers from 0 to 2^63",
               where, key, found == entry.end() ? "missing" : found->dump().substr(0, 80),
               count ? "two " : "");
  return found->get<Shape>();
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  if (file_.size() < length_bytes)
    core::fail(Status::invalid_argument,
               "{}: not a safetensors file: it has {} bytes, at least {}"
               " are needed",
               path, file_.size(), length_bytes);
  std::uint64_t header_bytes = 0;
  file_.read(0, &header_bytes, sizeof header_bytes);
  const auto available = static_cast<std::uint64_t>(file_.size() - length_bytes);
  if (header_bytes > available)
    core::fail(
        Status::invalid_argument,
        "{}: not a safetensors file, or a truncated one: its header claims {} bytes, the file"
        " has {}",
        path, header_bytes, available);
  if (header_bytes > longest_safetensors_header)
    core::fail(Status::invalid_argument, "{}: the header claims {} bytes; the format allows {}",
               path, header_bytes, longest_safetensors_header);
  std::string text(header_bytes, '\0');
  file_.read(length_bytes, text.data(), text.size());
  data_offset_ = length_bytes + static_cast<std::int64_t>(header_bytes);
  parse_header(text);
  check_extents();
}

void SafetensorsFile::parse_header(std::string_view text) {
  const json header = parse_unambiguous(file_.path(), text);
  if (!header.is_object())
    core::fail(Status::invalid_argument, "{}: the header is not a JSON object", file_.path());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;  // free text for people
    const std::string where = fmt::format("{}: tensor {:?}", file_.path(), name);
    if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string())
      core::fail(Status::invalid_argument, "{}: has no dtype", where);
    Entry entry{.dtype = value["dtype"].get<std::string>(),
                .shape = integers(where, value, "shape")};
    const Shape offsets = integers(where, value, "data_offsets", 2);
    entry.begin = offsets[0];
    entry.end = offsets[1];
    if (entry.begin > entry.end)
      core::fail(Status::invalid_argument, "{}: begins at byte {} and ends before it, at {}", where,
                 entry.begin, entry.end);
    const auto size = element_bytes(entry.dtype);
    const std::int64_t wanted =
        size ? checked_bytes(where, entry.shape, *size) : entry.end - entry.begin;
    if (wanted != entry.end - entry.begin)
      core::fail(Status::invalid_argument, "{}: shape {} of {} needs {} bytes, its offsets span {}",
                 where, to_string(entry.shape), entry.dtype, wanted, entry.end - entry.begin);
    entries_.emplace(name, std::move(entry));
  }
}

void SafetensorsFile::check_extents() const {
  std::vector<std::pair<const std::string*, const Entry*>> in_order;
  for (const auto& [name, entry] : entries_) in_order.emplace_back(&name, &entry);
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
    return std::pair{a.second->begin, a.second->end} < std::pair{b.second->begin, b.second->end};
  });
  std::int64_t reached = 0;
  for (const auto& [name, entry] : in_order) {
    if (entry->begin != reached)
      core::fail(Status::invalid_argument, "{}: tensor {:?} begins at byte {}, {} byte {}",
                 file_.path(), *name, entry->begin,
                 entry->begin < reached ? "inside the tensor before it, which ends at"
                                        : "leaving a hole after",
                 reached);
    reached = entry->end;
  }
  const std::int64_t present = file_.size() - data_offset_;
  if (reached != present)
    core::fail(Status::invalid_argument, "{}: the tensors span {} bytes, the file has {}",
               file_.path(), reached, present);
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

Array SafetensorsFile::read(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    std::vector<std::string> there = names();
    const std::string_view more = there.size() > 20 ? " and more" : "";
    there.resize(std::min<std::size_t>(there.size(), 20));
    core::fail(Status::invalid_argument, "{}: no tensor {:?}; there are: {}{}", file_.path(), name,
               there, more);
  }
  const Entry& entry = found->second;
  const auto dtype = dtype_from_format(entry.dtype);
  if (!dtype)
    core::fail(Status::invalid_argument,
               "{}: tensor {:?} has dtype {:?}; F16, BF16 and F32 are read", file_.path(), name,
               entry.dtype);
  Array array{entry.shape,
              core::HostTensor(*dtype, (entry.end - entry.begin) /
                                           static_cast<std::int64_t>(core::size_of(*dtype)))};
  file_.read(data_offset_ + entry.begin, array.tensor.data(), array.tensor.bytes());
  return array;
}

void write_safetensors(OutputFile& file,
                       const std::vector<std::pair<std::string, ArrayView>>& tensors) {
  json header = json::object();
  std::vector<std::int64_t> sizes;
  std::int64_t offset = 0;
  for (const auto& [name, array] : tensors) {
    sizes.push_back(checked_bytes(name, array.shape, core::size_of(array.dtype)));
    header[name] = {{"dtype", format_name(array.dtype)},
                    {"shape", array.shape},
                    {"data_offsets", {offset, offset + sizes.back()}}};
    offset += sizes.back();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned to 8 bytes
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (std::size_t i = 0; i < tensors.size(); ++i)
    file.write(tensors[i].second.data, static_cast<std::size_t>(sizes[i]));
}

}  // namespace flashcore::io
