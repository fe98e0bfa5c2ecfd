// A tuner's journal as pictures and one page, and a study of strategies as a picture.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "report/plot.h"
#include "report/report.h"
#include "tune/journal.h"
#include "tune/study.h"

namespace flashcore::report {

/// The fitness of a run's candidates and of the best so far, in the order in which they were tried.
/// Empty where nothing passed its gates.
std::optional<Picture> fitness_picture(const tune::JournalRun& run);

/// A panel for each field that differs: the times of the Configs with each of its values. Empty
/// where nothing passed its gates.
std::optional<Picture> field_picture(const tune::JournalRun& run);

/// How many candidates failed, by cause. Empty where none did.
std::optional<Picture> failure_picture(const tune::JournalRun& run);

/// How far from the table's best each strategy is, by budget.
Picture study_picture(std::span<const tune::StudyPoint> points);

/// Draws every run into the folder, which is made where it is not, and writes index.html with the
/// pictures inside, the finals and where it all comes from. Throws io where something cannot be
/// written or drawn.
Drawn write_tuning_report(const std::vector<tune::JournalRun>& runs,
                          const std::filesystem::path& gnuplot,
                          const std::filesystem::path& folder);

}  // namespace flashcore::report
