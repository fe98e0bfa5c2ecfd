#include "jit/pack.h"

#include <fcntl.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "jit/files.h"

namespace flashcore::jit {

using core::fail;
using core::Status;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view magic = "FLASHPK2";

std::uint64_t checksum(std::span<const std::uint8_t> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

json describe(const PackEntry& entry) {
  const ResourceReport& report = entry.binary.report;
  return {{"source_hash", entry.source_hash},
          {"entry", entry.spec.entry},
          {"name_expression", entry.spec.name_expression},
          {"arch", entry.arch.to_string()},
          {"nvrtc", {entry.nvrtc_version.first, entry.nvrtc_version.second}},
          {"symbol", entry.binary.symbol},
          {"registers", report.registers},
          {"spill_bytes", report.spill_bytes},
          {"stack_bytes", report.stack_bytes},
          {"smem_bytes", report.shared_bytes},
          {"barriers", report.barriers},
          {"serialized_products", report.serialized_products},
          {"cubin_bytes", entry.binary.cubin.size()},
          {"cubin_xxh3", checksum(entry.binary.cubin)}};
}

/// A whole number that fits an int; at() alone would convert any number.
int int_of(const json& value) {
  const auto number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  if (number < 0 || number > std::numeric_limits<int>::max())
    throw std::runtime_error(fmt::format("{} where a count belongs", value.dump()));
  return static_cast<int>(number);
}

std::uint64_t u64_of(const json& value) {
  if (!value.is_number_unsigned())
    throw std::runtime_error(fmt::format("{} where a length or hash belongs", value.dump()));
  return value.get<std::uint64_t>();
}

PackEntry entry_of(const json& kernel) {
  PackEntry entry;
  entry.source_hash = u64_of(kernel.at("source_hash"));
  entry.spec.entry = kernel.at("entry").get<std::string>();
  entry.spec.name_expression = kernel.at("name_expression").get<std::string>();
  const auto arch = core::arch_from_name(kernel.at("arch").get<std::string>());
  if (!arch) throw std::runtime_error("an architecture that is none");
  entry.arch = *arch;
  entry.nvrtc_version = {int_of(kernel.at("nvrtc").at(0)), int_of(kernel.at("nvrtc").at(1))};
  entry.binary.symbol = kernel.at("symbol").get<std::string>();
  entry.binary.report = {.registers = int_of(kernel.at("registers")),
                         .spill_bytes = int_of(kernel.at("spill_bytes")),
                         .stack_bytes = int_of(kernel.at("stack_bytes")),
                         .shared_bytes = int_of(kernel.at("smem_bytes")),
                         .barriers = int_of(kernel.at("barriers")),
                         .serialized_products = kernel.at("serialized_products").get<bool>()};
  return entry;
}

/// Hands out a file's bytes in order, never more than there are.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, const std::string& name)
      : rest_(bytes), name_(name) {}

  std::span<const std::uint8_t> take(std::uint64_t count, const char* what) {
    if (count > rest_.size())
      fail(Status::io, "{}: cut short: {} of {} bytes, and {} are left", name_, what, count,
           rest_.size());
    const auto taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  std::uint64_t take_number(const char* what) {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof(value), what).data(), sizeof(value));
    return value;
  }

  std::span<const std::uint8_t> take_checked(std::uint64_t count, std::uint64_t sum,
                                             const char* what) {
    const auto bytes = take(count, what);
    if (checksum(bytes) != sum)
      fail(Status::io, "{}: damaged: {} has checksum {:016x}, not {:016x}", name_, what,
           checksum(bytes), sum);
    return bytes;
  }

  void expect_end() const {
    if (!rest_.empty())
      fail(Status::io, "{}: {} bytes follow the last kernel", name_, rest_.size());
  }

 private:
  std::span<const std::uint8_t> rest_;
  const std::string& name_;
};

std::vector<PackEntry> read_kernels(const json& index, Reader& reader) {
  std::vector<PackEntry> entries;
  for (const json& kernel : index.at("kernels")) {
    PackEntry entry = entry_of(kernel);
    const auto cubin = reader.take_checked(u64_of(kernel.at("cubin_bytes")),
                                           u64_of(kernel.at("cubin_xxh3")), "a cubin");
    entry.binary.cubin.assign(cubin.begin(), cubin.end());
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

std::vector<std::uint8_t> write_pack(std::span<const PackEntry> entries) {
  json kernels = json::array();
  for (const PackEntry& entry : entries) kernels.push_back(describe(entry));
  const std::string index = json{{"kernels", std::move(kernels)}}.dump();
  const std::uint64_t length = index.size();
  const std::uint64_t sum = checksum(as_bytes(index));
  std::size_t total = magic.size() + sizeof(length) + sizeof(sum) + index.size();
  for (const PackEntry& entry : entries) total += entry.binary.cubin.size();

  std::vector<std::uint8_t> bytes(total);
  std::uint8_t* at = bytes.data();
  const auto put = [&at](const void* data, std::size_t count) {
    std::memcpy(at, data, count);
    at += count;
  };
  put(magic.data(), magic.size());
  put(&length, sizeof(length));
  put(&sum, sizeof(sum));
  put(index.data(), index.size());
  for (const PackEntry& entry : entries)
    if (const auto& cubin = entry.binary.cubin; !cubin.empty()) put(cubin.data(), cubin.size());
  return bytes;
}

std::vector<PackEntry> read_pack(std::span<const std::uint8_t> bytes, const std::string& name) {
  Reader reader(bytes, name);
  const auto start = reader.take(magic.size(), "the heading");
  if (std::memcmp(start.data(), magic.data(), magic.size()) != 0)
    fail(Status::io, "{}: not a pack of this version: it does not begin with {}", name, magic);
  const std::uint64_t length = reader.take_number("the index's length");
  const std::uint64_t sum = reader.take_number("the index's checksum");
  const auto text = reader.take_checked(length, sum, "the index");
  std::vector<PackEntry> entries;
  try {
    entries = read_kernels(json::parse(text.begin(), text.end()), reader);
  } catch (const core::Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(Status::io, "{}: its index is malformed: {}", name, error.what());
  }
  reader.expect_end();
  return entries;
}

std::vector<PackEntry> read_pack_file(const std::filesystem::path& path) {
  const FileDescriptor file = open_file(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK);
  return read_pack(read_all(file, path.string()), path.string());
}

}  // namespace flashcore::jit
