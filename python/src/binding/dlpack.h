// DLPack's binary interface, declared by hand: how array libraries describe memory to each other.
// Names and layouts are the standard's (version 1.3; dmlc.github.io/dlpack), of which this holds
// what an importer reads.
#pragma once

#include <cstdint>

namespace flashcore::python::dlpack {

struct Version {
  std::uint32_t major, minor;
};

enum DeviceType : std::int32_t { cpu = 1, cuda = 2, cuda_host = 3, cuda_managed = 13 };

struct Device {
  std::int32_t type;  // a DeviceType, or one that is not served
  std::int32_t index;
};

enum TypeCode : std::uint8_t { unsigned_integer = 1, floating = 2, bfloat = 4 };

struct DataType {
  std::uint8_t code;  // a TypeCode, or one that is not served
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: contiguous, row by row
  std::uint64_t byte_offset;
};

struct ManagedTensor {
  Tensor tensor;
  void* context;
  void (*deleter)(ManagedTensor*);
};

inline constexpr std::uint64_t read_only = 1;

struct ManagedTensorVersioned {
  Version version;
  void* context;
  void (*deleter)(ManagedTensorVersioned*);
  std::uint64_t flags;
  Tensor tensor;
};

/// What a library offers at type(array).__dlpack_c_exchange_api__, in a capsule of this name:
/// exchange without a Python call.
inline constexpr const char* exchange_capsule = "dlpack_exchange_api";

struct ExchangeApi {
  Version version;
  ExchangeApi* previous;
  int (*allocate)(Tensor*, ManagedTensorVersioned**, void*,
                  void (*)(void*, const char*, const char*));
  int (*managed_tensor_of)(void* object, ManagedTensorVersioned** out);
  int (*object_of)(ManagedTensorVersioned* tensor, void** out);
  int (*tensor_of)(void* object, Tensor* out);  // may be null; what it fills in, the object owns
  int (*current_stream)(DeviceType type, std::int32_t index, void** out);
};

}  // namespace flashcore::python::dlpack
