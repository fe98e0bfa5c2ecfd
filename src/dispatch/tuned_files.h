// The files of tuned records, as this process has read them.
#pragma once

#include <string_view>
#include <vector>

#include "dispatch/tuned.h"

namespace flashcore::dispatch {

/// Of every folder, the user's first, that has the family's file for the GPU. Read once;
/// thread-safe; the reference lives as long as the process.
const std::vector<TunedFile>& tuned_files(std::string_view gpu, std::string_view family);

}  // namespace flashcore::dispatch
