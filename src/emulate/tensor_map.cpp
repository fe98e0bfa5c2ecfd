#include "emulate/tensor_map.h"

#include <algorithm>
#include <cstring>

namespace flashcore::emulate {

namespace {

constexpr std::size_t chunk_bytes = 16;
constexpr std::int64_t element_bytes = 2;
constexpr std::size_t bank_line_bytes = 128;

static_assert(sizeof(EncodedTensor) <= sizeof(device::TensorMap));

}  // namespace

std::size_t EncodedTensor::box_bytes() const {
  return line_bytes() * tensor.box[1] * tensor.box[2] * tensor.box[3];
}

std::size_t EncodedTensor::alignment() const {
  const auto pattern = static_cast<std::size_t>(cuda::swizzle_bytes(tensor.swizzle)) * 8;
  return std::max(bank_line_bytes, tensor.swizzle == cuda::Swizzle::none ? 0 : pattern);
}

std::size_t EncodedTensor::swizzled(std::size_t offset) const {
  const auto chunks = static_cast<std::size_t>(cuda::swizzle_bytes(tensor.swizzle)) / chunk_bytes;
  return offset ^ (offset / bank_line_bytes & (chunks - 1)) * chunk_bytes;
}

std::vector<BoxLine> EncodedTensor::lines(const host::Coordinates& at) const {
  const auto& box = tensor.box;
  const auto inside = [&](int dimension, std::int64_t place) {
    return place >= 0 &&
           place < static_cast<std::int64_t>(tensor.dims[static_cast<std::size_t>(dimension)]);
  };
  const auto stride = [&](std::size_t dimension) {
    return static_cast<std::int64_t>(tensor.strides_bytes[dimension - 1]);
  };
  const std::int64_t c0 = at.values[0];
  const std::int64_t first = std::clamp<std::int64_t>(-c0, 0, box[0]);
  const std::int64_t last =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(tensor.dims[0]) - c0, first, box[0]);
  std::vector<BoxLine> all;
  for (std::int64_t c3 = at.values[3]; c3 < at.values[3] + std::int64_t{box[3]}; ++c3)
    for (std::int64_t c2 = at.values[2]; c2 < at.values[2] + std::int64_t{box[2]}; ++c2)
      for (std::int64_t c1 = at.values[1]; c1 < at.values[1] + std::int64_t{box[1]}; ++c1) {
        BoxLine& line = all.emplace_back(BoxLine{.offset = all.size() * line_bytes()});
        if (!inside(1, c1) || !inside(2, c2) || !inside(3, c3) || first == last) continue;
        line.begin = static_cast<std::size_t>(first * element_bytes);
        line.end = static_cast<std::size_t>(last * element_bytes);
        line.g_first =
            g_base + static_cast<std::uintptr_t>((c0 + first) * element_bytes + c1 * stride(1) +
                                                 c2 * stride(2) + c3 * stride(3));
      }
  return all;
}

void encode_for_emulator(const cuda::TensorBox& tensor, const void* base, device::TensorMap& map) {
  cuda::require_encodable(tensor, base);
  EncodedTensor encoded;
  encoded.g_base = reinterpret_cast<std::uintptr_t>(base);
  encoded.tensor = tensor;
  map = {};
  std::memcpy(map.bytes, &encoded, sizeof(encoded));
}

std::optional<EncodedTensor> decode(const void* map) {
  EncodedTensor encoded;
  std::memcpy(&encoded, map, sizeof(encoded));
  if (encoded.magic != EncodedTensor::magic_number) return std::nullopt;
  return encoded;
}

void load_box(const EncodedTensor& tensor, const host::Coordinates& at, unsigned char* shared,
              std::size_t s_box) {
  std::array<unsigned char, 512> bytes;  // NOLINT: a line of the largest box, filled below
  for (const BoxLine& line : tensor.lines(at)) {
    std::memset(bytes.data(), 0, tensor.line_bytes());
    if (line.begin < line.end)
      std::memcpy(bytes.data() + line.begin, reinterpret_cast<const void*>(line.g_first),
                  line.end - line.begin);
    for (std::size_t chunk = 0; chunk < tensor.line_bytes(); chunk += chunk_bytes)
      std::memcpy(shared + tensor.swizzled(s_box + line.offset + chunk), bytes.data() + chunk,
                  chunk_bytes);
  }
}

void store_box(const EncodedTensor& tensor, const host::Coordinates& at,
               const unsigned char* shared, std::size_t s_box) {
  std::array<unsigned char, 512> bytes;  // NOLINT: as above
  for (const BoxLine& line : tensor.lines(at)) {
    if (line.begin == line.end) continue;
    for (std::size_t chunk = 0; chunk < tensor.line_bytes(); chunk += chunk_bytes)
      std::memcpy(bytes.data() + chunk, shared + tensor.swizzled(s_box + line.offset + chunk),
                  chunk_bytes);
    std::memcpy(reinterpret_cast<void*>(line.g_first), bytes.data() + line.begin,
                line.end - line.begin);
  }
}

}  // namespace flashcore::emulate
