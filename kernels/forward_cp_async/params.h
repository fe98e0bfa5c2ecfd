// forward_cp_async's argument.
#pragma once

#include "device/attention/forward_params.h"

namespace flashcore::forward_cp_async {

using Params = device::ForwardParams;

}  // namespace flashcore::forward_cp_async
