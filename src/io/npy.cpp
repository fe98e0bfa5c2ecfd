#include "io/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.h"
#include "io/npy_header.h"

namespace flashcore::io {

namespace {

using core::Dtype;
using core::Status;

constexpr std::string_view magic{"\x93NUMPY", 6};
/// Far above what any array of numbers needs; it bounds what a hostile file makes us read.
constexpr std::int64_t longest_npy_header = 1 << 16;

/// The dtype that a descr names, or an error that says what to do about the others.
Dtype dtype_of(std::string_view path, std::string_view descr) {
  if (descr == "<f2") return Dtype::float16;
  if (descr == "<f4") return Dtype::float32;
  if (descr == "<V2" || descr == "|V2" || descr == "bfloat16") return Dtype::bfloat16;
  const auto refuse = [&](std::string_view advice) {
    core::fail(Status::invalid_argument, "{}: dtype {:?}: {}", path, descr, advice);
  };
  if (descr.starts_with('>'))
    refuse("big-endian; save array.astype(array.dtype.newbyteorder('<'))");
  if (descr.ends_with("O")) refuse("an array of Python objects, which is never read");
  if (descr == "<f8") refuse("float64 would lose digits; save array.astype('float32')");
  refuse("expected '<f2' (fp16), '<V2' (bf16 by ml_dtypes) or '<f4' (fp32)");
  return {};
}

std::string_view descr_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return "<f2";
    case Dtype::bfloat16: return "<V2";
    case Dtype::float32: break;
  }
  return "<f4";
}

/// What a file that is not .npy seems to be instead.
std::string_view guess(std::string_view start) {
  if (start.empty()) return "the file is empty";
  if (start.starts_with("PK"))
    return "it looks like a .npz archive; save each array with numpy.save";
  if (start.starts_with('\x80')) return "it looks like a pickle, which is never read";
  if (start.size() > 8 && start[8] == '{') return "it looks like safetensors; pass it as --input";
  return "it does not start with \\x93NUMPY";
}

struct Preamble {
  std::int64_t header_offset = 0;
  std::int64_t header_bytes = 0;
};

Preamble read_preamble(const InputFile& file) {
  std::array<char, 12> start{};
  const auto available = std::min<std::int64_t>(file.size(), start.size());
  file.read(0, start.data(), static_cast<std::size_t>(available));
  const std::string_view text{start.data(), static_cast<std::size_t>(available)};
  if (!text.starts_with(magic))
    core::fail(Status::invalid_argument, "{}: not a .npy file: {}", file.path(), guess(text));
  const int version = static_cast<unsigned char>(start[6]);
  const std::int64_t header_offset = version == 1 ? 10 : 12;
  if (file.size() < header_offset)
    core::fail(Status::invalid_argument, "{}: the file ends inside the .npy header", file.path());
  if (version < 1 || version > 3)
    core::fail(Status::invalid_argument, "{}: .npy version {}; 1, 2 and 3 are read", file.path(),
               version);
  std::uint32_t header_bytes = 0;  // little-endian, two bytes wide in version 1, then four
  std::memcpy(&header_bytes, &start[8], version == 1 ? 2 : 4);
  return {header_offset, header_bytes};
}

NpyHeader read_header(const InputFile& file, const Preamble& preamble) {
  if (preamble.header_bytes > longest_npy_header)
    core::fail(Status::invalid_argument, "{}: the .npy header claims {} bytes; at most {} are read",
               file.path(), preamble.header_bytes, longest_npy_header);
  const std::int64_t remaining = file.size() - preamble.header_offset;
  if (preamble.header_bytes > remaining)
    core::fail(Status::invalid_argument, "{}: the .npy header claims {} bytes, the file has {}",
               file.path(), preamble.header_bytes, remaining);
  std::string text(static_cast<std::size_t>(preamble.header_bytes), '\0');
  file.read(preamble.header_offset, text.data(), text.size());
  return parse_npy_header(file.path(), text);
}

}  // namespace

Array read_npy(const std::string& path) {
  const InputFile file{path};
  const Preamble preamble = read_preamble(file);
  NpyHeader header = read_header(file, preamble);
  const Dtype dtype = dtype_of(path, header.descr);
  if (header.fortran_order && header.shape.size() > 1)
    core::fail(Status::invalid_argument,
               "{}: Fortran order; save numpy.ascontiguousarray(array) for C order", path);
  const std::int64_t data_offset = preamble.header_offset + preamble.header_bytes;
  const std::int64_t bytes = checked_bytes(path, header.shape, core::size_of(dtype));
  const std::int64_t present = file.size() - data_offset;
  if (present != bytes)
    core::fail(Status::invalid_argument,
               "{}: shape {} of {} needs {} bytes of data, the file has {}", path,
               to_string(header.shape), core::name(dtype), bytes, present);
  Array array{std::move(header.shape),
              core::HostTensor(dtype, bytes / static_cast<std::int64_t>(core::size_of(dtype)))};
  file.read(data_offset, array.tensor.data(), array.tensor.bytes());
  return array;
}

void write_npy(OutputFile& file, const ArrayView& array) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                   descr_of(array.dtype), fmt::join(array.shape, ", "),
                                   array.shape.size() == 1 ? "," : "");
  constexpr std::size_t before_header = 10, alignment = 64;  // the data starts at a multiple of 64
  const std::size_t unpadded = before_header + header.size() + 1;
  header.append((alignment - unpadded % alignment) % alignment, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string start{magic};
  start.append({'\x01', '\x00', static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)});
  start += header;
  file.write(start.data(), start.size());
  file.write(array.data, static_cast<std::size_t>(
                             checked_bytes("write_npy", array.shape, core::size_of(array.dtype))));
}

}  // namespace flashcore::io
