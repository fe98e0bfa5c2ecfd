// The accepted error of the numerics contract (DESIGN section 5, docs/numerics.md): what the
// correctness gate, `flashcore verify` and the tests all ask.
#pragma once

#include <string>

#include "core/host_tensor.h"
#include "cpu/oracle.h"

namespace flashcore::gate {

/// The contract's bound for rows of 128 keys or more on N(0,1) inputs; infinite in fp32.
double absolute_bound(core::Dtype dtype);

struct Accuracy {
  bool correct = false;
  double max_error = 0;      // max |o - oracle|
  double plain_error = 0;    // the same for the plain implementation
  double max_lse_error = 0;  // max |lse - oracle|, where lse was asked for
  bool finite = true;        // no NaN and no infinity where the oracle has a number
  std::string reason;        // the first violation: where, what, and the bound; empty when correct
};

/// What a call's results are held to; of its inputs alone.
struct Reference {
  cpu::OracleResult expected, plain;
};
Reference reference_of(core::HostCall& call);

/// Compares call.o, and call.lse where `lse_written`, with the oracle:
/// |o - oracle| <= 2 * max|plain - oracle| + one unit in the last place, everywhere; rows that the
/// oracle leaves finite are finite, rows that it does not are not; fully masked rows are exactly
/// o = 0, lse = -inf. `normal_inputs` adds the absolute bound for N(0,1) inputs with 128 keys or
/// more: 1e-3 in fp16, 8e-3 in bf16.
Accuracy check_accuracy(const core::HostCall& call, const Reference& reference, bool lse_written,
                        bool normal_inputs);
Accuracy check_accuracy(core::HostCall& call, bool lse_written, bool normal_inputs);

}  // namespace flashcore::gate
