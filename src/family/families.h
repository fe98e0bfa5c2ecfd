// One function per family, defined in its room (kernels/<family>/family.cpp).
#pragma once

#include "family/family.h"

namespace flashcore::family {

const Family* forward_scalar();
const Family* forward_wmma();
const Family* forward_cp_async();
const Family* forward_mma();
const Family* forward_tma_wgmma();

}  // namespace flashcore::family
