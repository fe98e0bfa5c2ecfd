// forward_scalar's argument.
#pragma once

#include "device/attention/forward_params.h"

namespace flashcore::forward_scalar {

using Params = device::ForwardParams;

}  // namespace flashcore::forward_scalar
