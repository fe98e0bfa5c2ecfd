// forward_wmma's argument.
#pragma once

#include "device/attention/forward_params.h"

namespace flashcore::forward_wmma {

using Params = device::ForwardParams;

}  // namespace flashcore::forward_wmma
