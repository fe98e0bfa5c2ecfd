// Where a [batch, heads, seq, head_dim] tensor's rows lie. The last dimension is contiguous.
#pragma once

namespace flashcore::device {

struct RowStrides {
  long long batch;  // in elements
  long long head;
  long long seq;

  constexpr long long offset(long long batch_index, long long head_index,
                             long long row_index) const {
    return batch_index * batch + head_index * head + row_index * seq;
  }
};

}  // namespace flashcore::device
