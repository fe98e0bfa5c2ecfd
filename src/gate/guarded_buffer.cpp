#include "gate/guarded_buffer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace flashcore::gate {

namespace {

constexpr std::size_t guard_bytes = 4096;  // a multiple of every alignment that a tensor may want

std::size_t count_changed(const std::byte* zone) {
  return static_cast<std::size_t>(std::count_if(zone, zone + guard_bytes, [](std::byte value) {
    return value != GuardedBuffer::guard_value;
  }));
}

}  // namespace

GuardedBuffer::GuardedBuffer(dispatch::Backend backend, std::size_t bytes) : bytes_(bytes) {
  if (backend == dispatch::Backend::cuda)
    device_.emplace(bytes + 2 * guard_bytes);
  else
    allocate_image();
}

void* GuardedBuffer::data() {
  return base() + guard_bytes;
}

void GuardedBuffer::fill(const void* from) {
  fill_bytes(base(), guard_value, guard_bytes);
  fill_bytes(base() + guard_bytes + bytes_, guard_value, guard_bytes);
  if (bytes_ == 0) return;
  if (device_)
    cuda::copy_to_device(data(), from, bytes_);
  else
    std::memcpy(data(), from, bytes_);
}

void GuardedBuffer::poison(std::byte value) {
  fill_bytes(base(), value, bytes_ + 2 * guard_bytes);
}

void GuardedBuffer::copy_payload(void* to) {
  if (bytes_ == 0) return;
  if (device_)
    cuda::copy_to_host(to, data(), bytes_);
  else
    std::memcpy(to, data(), bytes_);
}

std::size_t GuardedBuffer::retrieve() {
  if (device_) {
    allocate_image();
    cuda::copy_to_host(image_.data(), base(), bytes_ + 2 * guard_bytes);
  }
  return count_changed(image_.data()) + count_changed(image_.data() + guard_bytes + bytes_);
}

std::size_t GuardedBuffer::retrieve_guards() {
  if (!device_) return retrieve();
  std::vector<std::byte> zones(2 * guard_bytes);
  cuda::copy_to_host(zones.data(), base(), guard_bytes);
  cuda::copy_to_host(zones.data() + guard_bytes, base() + guard_bytes + bytes_, guard_bytes);
  return count_changed(zones.data()) + count_changed(zones.data() + guard_bytes);
}

const std::byte* GuardedBuffer::payload() const {
  return image_.data() + guard_bytes;
}

void GuardedBuffer::allocate_image() {
  if (image_.elements() == 0)
    image_ = core::HostTensor(core::Dtype::float32,
                              static_cast<std::int64_t>((bytes_ + 2 * guard_bytes + 3) / 4));
}

std::byte* GuardedBuffer::base() {
  return device_ ? static_cast<std::byte*>(device_->data()) : image_.data();
}

void GuardedBuffer::fill_bytes(std::byte* to, std::byte value, std::size_t bytes) const {
  if (device_)
    cuda::fill(to, static_cast<unsigned char>(value), bytes);
  else
    std::memset(to, static_cast<int>(value), bytes);
}

}  // namespace flashcore::gate
