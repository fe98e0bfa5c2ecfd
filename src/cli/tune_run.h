// A search on the machine's GPUs, and one on a table.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "cli/tune_flags.h"
#include "tune/journal.h"

namespace flashcore::cli {

/// Both return the exit status.
int tune_on_gpu(const TuneFlags& flags);
int tune_on_table(const TuneFlags& flags);

/// The run in the journal to go on with, and says which where it is an old one.
std::int64_t begin_or_resume(tune::Journal& journal, bool resume, const tune::Subject& subject,
                             const nlohmann::json& course);

}  // namespace flashcore::cli
